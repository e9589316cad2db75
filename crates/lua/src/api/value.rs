//! A Lua value as Rust code holds it.
//!
//! **Invariant:** values that are objects hold a handle, so they stay alive; the others hold the value itself.

use super::error::{Error, Result};
use super::function::Function;
use super::multi::MultiValue;
use super::state::{Lua, whole_number};
use super::string::LuaString;
use super::table::Table;
use super::thread::Thread;
use super::userdata::AnyUserData;
use crate::heap::Gc;
use crate::native::Thrown;
use crate::stdlib::access::identity;
use crate::string::Str;
use crate::value::{Val, tag};
use crate::vm::{Event, Vm};
use std::fmt;

/// A Lua integer.
pub type Integer = i64;
/// A Lua float.
pub type Number = f64;

/// A pointer that means something to the host only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LightUserData(pub *mut std::ffi::c_void);

/// Any Lua value.
#[derive(Clone, Default)]
pub enum Value {
    /// `nil`
    #[default]
    Nil,
    /// `true` or `false`
    Boolean(bool),
    /// A pointer of the host's.
    LightUserData(LightUserData),
    /// An integer.
    Integer(Integer),
    /// A float.
    Number(Number),
    /// A string: bytes, not necessarily UTF-8.
    String(LuaString),
    /// A table.
    Table(Table),
    /// A function, in Lua or of the host.
    Function(Function),
    /// A coroutine.
    Thread(Thread),
    /// An object of the host's.
    UserData(AnyUserData),
    /// An error of the host's that a script caught.
    Error(Box<Error>),
}

/// Shorthand for [`Value::Nil`].
pub use Value::Nil;

impl Value {
    /// The name of the basic type, as `type` returns it; integers and floats are told apart, and errors named.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Boolean(_) => "boolean",
            Value::LightUserData(_) => "lightuserdata",
            Value::Integer(_) => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Function(_) => "function",
            Value::Thread(_) => "thread",
            Value::UserData(_) => "userdata",
            Value::Error(_) => "error",
        }
    }

    /// Equality with the `__eq` metamethod.
    pub fn equals(&self, other: &Value) -> Result<bool> {
        match (self, other) {
            (Value::Table(a), Value::Table(b)) => a.equals(b),
            (Value::UserData(a), Value::UserData(b)) => a.equals(b),
            (a, b) => Ok(a == b),
        }
    }

    /// An address that names the object; null for values that are not objects.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        let address = match self {
            Value::LightUserData(p) => return p.0,
            Value::String(s) => s.0.address(),
            Value::Table(t) => t.0.address(),
            Value::Function(f) => f.0.address(),
            Value::Thread(t) => t.0.address(),
            Value::UserData(u) => u.0.address(),
            _ => 0,
        };
        std::ptr::without_provenance(address)
    }

    /// The text that `tostring` gives, with `__tostring` and `__name`.
    pub fn to_string(&self) -> Result<String> {
        let lua = match self {
            Value::Nil => return Ok("nil".to_owned()),
            Value::Boolean(b) => return Ok(b.to_string()),
            Value::Integer(i) => return Ok(i.to_string()),
            Value::Number(n) => {
                let mut text = Vec::new();
                crate::number::format_float(*n, &mut text);
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            Value::LightUserData(p) => return Ok(format!("lightuserdata: {:p}", p.0)),
            Value::Error(e) => return Ok(e.to_string()),
            Value::String(s) => return Ok(s.to_string_lossy()),
            Value::Table(t) => t.0.lua()?,
            Value::Function(f) => f.0.lua()?,
            Value::Thread(t) => t.0.lua()?,
            Value::UserData(u) => u.0.lua()?,
        };
        let v = lua.val_of(self)?;
        let method = lua.enter(|vm| vm.meta_of(v, Event::ToString))?;
        if method.is_nil() {
            return lua
                .enter(|vm| format!("{}: {:#x}", vm.type_name_for_message(v), identity(vm, v)));
        }
        lua.balanced(|_| {
            lua.enter(|vm| {
                let pushed = Lua::push_val(vm, method).and_then(|()| Lua::push_val(vm, v));
                pushed.map_err(|e| lua.caught(vm, e))?;
                let from = lua.call_pushed(vm, 1)?;
                let text = if from < vm.thread().top as usize {
                    vm.thread().get(from)
                } else {
                    Val::NIL
                };
                match text.as_str() {
                    Some(s) => Ok(String::from_utf8_lossy(s.as_bytes()).into_owned()),
                    None => Err(Error::runtime("'__tostring' must return a string")),
                }
            })?
        })
    }

    /// Whether the value is nil.
    pub fn is_nil(&self) -> bool {
        matches!(self, Value::Nil)
    }
    /// The boolean, if it is one.
    pub fn as_boolean(&self) -> Option<bool> {
        if let Value::Boolean(b) = self {
            Some(*b)
        } else {
            None
        }
    }
    /// The integer, if it is one.
    pub fn as_integer(&self) -> Option<Integer> {
        if let Value::Integer(i) = self {
            Some(*i)
        } else {
            None
        }
    }
    /// The float, if it is one.
    pub fn as_number(&self) -> Option<Number> {
        if let Value::Number(n) = self {
            Some(*n)
        } else {
            None
        }
    }
    /// The number as a float, whichever kind it is.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Integer(i) => Some(*i as f64),
            Value::Number(n) => Some(*n),
            _ => None,
        }
    }
    /// The string, if it is one.
    pub fn as_string(&self) -> Option<&LuaString> {
        if let Value::String(s) = self {
            Some(s)
        } else {
            None
        }
    }
    /// The string's text with invalid UTF-8 replaced, if it is a string.
    pub fn as_string_lossy(&self) -> Option<String> {
        self.as_string().map(LuaString::to_string_lossy)
    }
    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        if let Value::Table(t) = self {
            Some(t)
        } else {
            None
        }
    }
    /// The function, if it is one.
    pub fn as_function(&self) -> Option<&Function> {
        if let Value::Function(f) = self {
            Some(f)
        } else {
            None
        }
    }
    /// The coroutine, if it is one.
    pub fn as_thread(&self) -> Option<&Thread> {
        if let Value::Thread(t) = self {
            Some(t)
        } else {
            None
        }
    }
    /// The userdata, if it is one.
    pub fn as_userdata(&self) -> Option<&AnyUserData> {
        if let Value::UserData(u) = self {
            Some(u)
        } else {
            None
        }
    }
    /// The error, if it is one.
    pub fn as_error(&self) -> Option<&Error> {
        if let Value::Error(e) = self {
            Some(e)
        } else {
            None
        }
    }
}

macro_rules! is_methods {
    ($($(#[$doc:meta])* $name:ident $variant:ident;)*) => {
        impl Value { $($(#[$doc])* pub fn $name(&self) -> bool { matches!(self, Value::$variant(_)) })* }
    };
}
is_methods! {
    /// Whether the value is a boolean.
    is_boolean Boolean;
    /// Whether the value is an integer.
    is_integer Integer;
    /// Whether the value is a float.
    is_number Number;
    /// Whether the value is a string.
    is_string String;
    /// Whether the value is a table.
    is_table Table;
    /// Whether the value is a function.
    is_function Function;
    /// Whether the value is a coroutine.
    is_thread Thread;
    /// Whether the value is a userdata.
    is_userdata UserData;
    /// Whether the value is an error of the host's.
    is_error Error;
}

impl PartialEq for Value {
    /// Equality without metamethods: objects by identity, numbers by value.
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::LightUserData(a), Value::LightUserData(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Integer(a), Value::Number(b)) | (Value::Number(b), Value::Integer(a)) => {
                Val::int(*a).raw_eq(Val::float(*b))
            }
            (Value::Number(a), Value::Number(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b,
            (Value::Table(a), Value::Table(b)) => a == b,
            (Value::Function(a), Value::Function(b)) => a == b,
            (Value::Thread(a), Value::Thread(b)) => a == b,
            (Value::UserData(a), Value::UserData(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("Nil"),
            Value::Boolean(b) => write!(f, "Boolean({b})"),
            Value::LightUserData(p) => write!(f, "LightUserData({:p})", p.0),
            Value::Integer(i) => write!(f, "Integer({i})"),
            Value::Number(n) => write!(f, "Number({n:?})"),
            Value::String(s) => write!(f, "String({s:?})"),
            Value::Table(t) => t.fmt(f),
            Value::Function(t) => t.fmt(f),
            Value::Thread(t) => t.fmt(f),
            Value::UserData(t) => t.fmt(f),
            Value::Error(e) => write!(f, "Error({e:?})"),
        }
    }
}

/// The arguments of a host function as they lie on the running coroutine's stack: what conversions read without making handles.
pub struct Args<'a> {
    pub(crate) lua: &'a Lua,
    pub(crate) base: usize,
    pub(crate) count: usize,
}

/// A value that is only looked at: without a reference to it, and without copying it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Glance<'a> {
    /// nil
    Nil,
    /// A boolean.
    Boolean(bool),
    /// An integer; where scripts have none, a float that is a whole number.
    Integer(Integer),
    /// Any other number.
    Number(Number),
    /// A string.
    String(&'a [u8]),
    /// Anything else.
    Other,
}

impl<'a> Glance<'a> {
    /// What a value looks like to the host; its string must be kept alive as long as this.
    pub(crate) fn at(lua: &Lua, v: &'a Val) -> Glance<'a> {
        match v.tag {
            tag::NIL => Glance::Nil,
            tag::FALSE => Glance::Boolean(false),
            tag::TRUE => Glance::Boolean(true),
            tag::INT => Glance::Integer(v.raw_int()),
            tag::FLOAT => {
                let f = v.raw_float();
                let whole = match lua.0.dialect.has_integers() {
                    true => None,
                    false => whole_number(f),
                };
                whole.map_or(Glance::Number(f), Glance::Integer)
            }
            _ => (v.as_str()).map_or(Glance::Other, |text| Glance::String(text.as_bytes())),
        }
    }
}

impl Args<'_> {
    /// How many there are from the one at `first`, counted from 0.
    pub fn count_from(&self, first: usize) -> usize {
        self.count.saturating_sub(first)
    }

    /// Calls `f` with each of them from the one at `first` on, until it gives false; whether it never did. `f` cannot use the VM.
    pub fn look(&self, first: usize, mut f: impl FnMut(Glance<'_>) -> bool) -> Result<bool> {
        self.lua.enter(|vm| {
            (first..self.count).all(|i| {
                let v = vm.thread().get(self.base + i);
                f(Glance::at(self.lua, &v))
            })
        })
    }

    pub(crate) fn val(&self, i: usize) -> Result<Val> {
        if i >= self.count {
            return Ok(Val::NIL);
        }
        self.lua.enter(|vm| vm.thread().get(self.base + i))
    }
    pub(crate) fn value(&self, i: usize) -> Result<Value> {
        if i >= self.count {
            return Ok(Value::Nil);
        }
        self.lua.enter(|vm| {
            let v = vm.thread().get(self.base + i);
            self.lua.value(vm, v)
        })
    }
    pub(crate) fn values_from(&self, first: usize) -> Result<MultiValue> {
        if first >= self.count {
            return Ok(MultiValue::new());
        }
        self.lua.enter(|vm| {
            (first..self.count)
                .map(|i| {
                    let v = vm.thread().get(self.base + i);
                    self.lua.value(vm, v)
                })
                .collect()
        })
    }
}

/// The string that a string or number is.
pub(crate) fn val_to_str(vm: &mut Vm, v: Val) -> Result<Option<Gc<Str>>, Thrown> {
    match v.tag {
        tag::STR => Ok(v.as_str()),
        tag::INT | tag::FLOAT => vm.number_to_str(v).map(Some),
        _ => Ok(None),
    }
}
