//! The settings of a module.

use super::MAX_DEPTH;
use crate::answer::type_name;
use crate::text::bad_argument;
use rille_lua::{FromLua, Lua, MultiValue, Result, Table, Value};
use std::cell::RefCell;
use std::rc::Rc;

/// The longest text that one level is indented by.
const MAX_INDENT: usize = 64;

/// What to do with numbers that JSON does not have.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Invalid {
    Refused,
    Written,
    Null,
}

/// How one module converts.
#[derive(Clone)]
pub(super) struct Settings {
    /// Whether arrays with too many holes become objects; they are errors otherwise.
    pub sparse_convert: bool,
    /// How many times more slots than elements are too many; 0: none are.
    pub sparse_ratio: i64,
    /// An array is never sparse up to this length.
    pub sparse_safe: i64,
    pub encode_depth: i64,
    pub decode_depth: i64,
    pub encode_invalid: Invalid,
    pub decode_invalid: bool,
    keep_buffer: bool,
    /// Significant digits; those that were never set are as many as the version of the language prints.
    pub precision: Option<i64>,
    pub empty_is_object: bool,
    /// Whether arrays that are decoded get `array_mt`.
    pub marks_arrays: bool,
    pub allows_comments: bool,
    pub escapes_slash: bool,
    pub skips_unsupported: bool,
    pub indent: Rc<[u8]>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth: 1000,
            decode_depth: 1000,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
            precision: None,
            empty_is_object: true,
            marks_arrays: false,
            allows_comments: false,
            escapes_slash: true,
            skips_unsupported: false,
            indent: Rc::new([]),
        }
    }
}

type Flag = fn(&mut Settings) -> &mut bool;

const FLAGS: &[(&str, Flag)] = &[
    ("decode_invalid_numbers", |s| &mut s.decode_invalid),
    ("encode_keep_buffer", |s| &mut s.keep_buffer),
    ("encode_empty_table_as_object", |s| &mut s.empty_is_object),
    ("decode_array_with_array_mt", |s| &mut s.marks_arrays),
    ("decode_allow_comment", |s| &mut s.allows_comments),
    ("encode_escape_forward_slash", |s| &mut s.escapes_slash),
    ("encode_skip_unsupported_value_types", |s| {
        &mut s.skips_unsupported
    }),
];

/// Adds the functions that change them.
pub(super) fn install(lua: &Lua, module: &Table, settings: &Rc<RefCell<Settings>>) -> Result<()> {
    for (name, field) in FLAGS {
        let settings = settings.clone();
        let set = move |lua: &Lua, given: MultiValue| {
            let given = arguments(given, 1)?;
            let mut settings = settings.borrow_mut();
            flag(lua, &given, 1, field(&mut settings))
        };
        module.raw_set(*name, lua.create_function(set)?)?;
    }
    depth(lua, module, settings, "encode_max_depth", |s| {
        &mut s.encode_depth
    })?;
    depth(lua, module, settings, "decode_max_depth", |s| {
        &mut s.decode_depth
    })?;
    let own = settings.clone();
    let precision = move |lua: &Lua, given: MultiValue| {
        let given = arguments(given, 1)?;
        let mut precision = own.borrow().precision.unwrap_or(14);
        let is_set = !at(&given, 1).is_nil();
        let shown = integer(lua, &given, 1, &mut precision, 1, 17)?;
        if is_set {
            own.borrow_mut().precision = Some(precision);
        }
        Ok(shown)
    };
    module.raw_set("encode_number_precision", lua.create_function(precision)?)?;
    let own = settings.clone();
    let sparse = move |lua: &Lua, given: MultiValue| {
        let given = arguments(given, 3)?;
        let mut s = own.borrow_mut();
        let convert = flag(lua, &given, 1, &mut s.sparse_convert)?;
        let most = i64::from(i32::MAX);
        let ratio = integer(lua, &given, 2, &mut s.sparse_ratio, 0, most)?;
        let safe = integer(lua, &given, 3, &mut s.sparse_safe, 0, most)?;
        Ok((convert, ratio, safe))
    };
    module.raw_set("encode_sparse_array", lua.create_function(sparse)?)?;
    let own = settings.clone();
    let invalid = move |lua: &Lua, given: MultiValue| {
        let given = arguments(given, 1)?;
        set_invalid(lua, at(&given, 1), &mut own.borrow_mut().encode_invalid)
    };
    module.raw_set("encode_invalid_numbers", lua.create_function(invalid)?)?;
    let own = settings.clone();
    let indent = move |lua: &Lua, given: MultiValue| {
        let given = arguments(given, 1)?;
        let mut settings = own.borrow_mut();
        if !at(&given, 1).is_nil() {
            let text = rille_lua::LuaString::from_lua(at(&given, 1), lua)?;
            if text.len() > MAX_INDENT {
                return Err(bad_argument(
                    1,
                    "an indentation of at most 64 bytes expected",
                ));
            }
            settings.indent = Rc::from(&text.as_bytes()[..]);
        }
        lua.create_string(&*settings.indent)
    };
    module.raw_set("encode_indent", lua.create_function(indent)?)
}

fn depth(
    lua: &Lua,
    module: &Table,
    settings: &Rc<RefCell<Settings>>,
    name: &str,
    field: fn(&mut Settings) -> &mut i64,
) -> Result<()> {
    let settings = settings.clone();
    let set = move |lua: &Lua, given: MultiValue| {
        let given = arguments(given, 1)?;
        let mut settings = settings.borrow_mut();
        integer(lua, &given, 1, field(&mut settings), 1, MAX_DEPTH)
    };
    module.raw_set(name, lua.create_function(set)?)
}

fn arguments(given: MultiValue, most: usize) -> Result<MultiValue> {
    match given.len() <= most {
        true => Ok(given),
        false => Err(bad_argument(most + 1, "found too many arguments")),
    }
}

fn at(given: &MultiValue, pos: usize) -> Value {
    given.get(pos - 1).cloned().unwrap_or_default()
}

fn integer(
    lua: &Lua,
    given: &MultiValue,
    pos: usize,
    setting: &mut i64,
    min: i64,
    max: i64,
) -> Result<Value> {
    let value = at(given, pos);
    if !value.is_nil() {
        let number = lua.coerce_integer(value.clone())?.ok_or_else(|| {
            let given = type_name(&value);
            bad_argument(pos, format!("number expected, got {given}"))
        })?;
        if !(min..=max).contains(&number) {
            let why = format!("expected integer between {min} and {max}");
            return Err(bad_argument(1, why));
        }
        *setting = number;
    }
    Ok(Value::Integer(*setting))
}

fn flag(lua: &Lua, given: &MultiValue, pos: usize, setting: &mut bool) -> Result<Value> {
    match at(given, pos) {
        Value::Nil => {}
        Value::Boolean(on) => *setting = on,
        value => *setting = option(lua, value, pos, &["off", "on"])? == 1,
    }
    Ok(Value::Boolean(*setting))
}

fn set_invalid(lua: &Lua, value: Value, setting: &mut Invalid) -> Result<Value> {
    const ALL: [Invalid; 3] = [Invalid::Refused, Invalid::Written, Invalid::Null];
    match value {
        Value::Nil => {}
        Value::Boolean(on) => *setting = ALL[usize::from(on)],
        value => {
            let chosen = option(lua, value, 1, &["off", "on", "null"])?;
            *setting = ALL.get(chosen).copied().unwrap_or(Invalid::Refused);
        }
    }
    match setting {
        Invalid::Null => lua.create_string("null").map(Value::String),
        other => Ok(Value::Boolean(*other == Invalid::Written)),
    }
}

fn option(lua: &Lua, value: Value, pos: usize, options: &[&str]) -> Result<usize> {
    let kind = type_name(&value);
    let text = match value {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(value)?,
        _ => None,
    };
    let Some(text) = text else {
        return Err(bad_argument(pos, format!("string expected, got {kind}")));
    };
    let text = text.to_string_lossy().chars().take(64).collect::<String>();
    let found = options.iter().position(|option| *option == text);
    found.ok_or_else(|| bad_argument(pos, format!("invalid option '{text}'")))
}
