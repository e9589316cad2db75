//! The fields of a request, as a script gives them.
//!
//! **Invariant:** what is returned can be written to the wire as it is: names are tokens, values have no line ends, and there are not too many of them.

use super::head::Fields;
use super::options::wrong;
use crate::answer::type_name;
use rille_lua::{Lua, Result, Value};

/// The most fields of a request.
const MAX_FIELDS: usize = 100;
/// The most bytes of all fields of a request.
const MAX_FIELD_BYTES: usize = 64 << 10;

/// The fields of the option `headers`, in the order of their names.
pub fn read(lua: &Lua, headers: Value) -> Result<Fields> {
    let table = match headers {
        Value::Nil => return Ok(Fields::new()),
        Value::Table(table) => table,
        other => {
            return Err(wrong(format!(
                "'headers' is a table, not a {}",
                type_name(&other)
            )));
        }
    };
    let (mut fields, mut bytes) = (Fields::new(), 0);
    let mut key = Value::Nil;
    while let Some((name, value)) = table.next_entry(&key)? {
        let Some(text) = lua.coerce_string(name.clone())? else {
            return Err(wrong("the name of a header is not a string"));
        };
        let text = text.as_bytes();
        if !is_token(&text) {
            return Err(wrong(format!(
                "the header {:?} has a malformed name",
                shown(&text)
            )));
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let values = match value {
            Value::Table(list) => list
                .sequence_values::<Value>()
                .take(MAX_FIELDS + 1)
                .collect::<Result<_>>()?,
            value => vec![value],
        };
        for value in values {
            let value = field_value(lua, &text, value)?;
            bytes += text.len() + value.len();
            fields.push((text.clone(), value));
            if fields.len() > MAX_FIELDS || bytes > MAX_FIELD_BYTES {
                return Err(wrong("more than 100 headers, or 64 KiB of them"));
            }
        }
        key = name;
    }
    // A table has no order: what is sent does.
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(fields)
}

fn field_value(lua: &Lua, name: &str, value: Value) -> Result<Vec<u8>> {
    let Some(text) = lua.coerce_string(value.clone())? else {
        return Err(wrong(format!(
            "the header '{name}' is a string or a list of strings, not a {}",
            type_name(&value)
        )));
    };
    let text = text.as_bytes();
    let plain = |byte: &u8| *byte == b'\t' || !byte.is_ascii_control();
    match text.iter().all(plain) {
        true => Ok(text.trim_ascii().to_vec()),
        false => Err(wrong(format!(
            "the header '{name}' has a control character"
        ))),
    }
}

/// Whether they say that the body is a form.
pub fn is_a_form(fields: &Fields) -> bool {
    fields.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type")
            && value
                .to_ascii_lowercase()
                .starts_with(b"application/x-www-form-urlencoded")
    })
}

/// Takes a `Content-Length` away.
pub fn take_length(fields: &mut Fields) -> Result<Option<u64>> {
    let mut all = fields.extract_if(.., |(name, _)| name.eq_ignore_ascii_case("content-length"));
    let Some((_, value)) = all.next() else {
        return Ok(None);
    };
    let more = all.next().is_some();
    drop(all);
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    match digits && !more {
        true => Ok(Some(
            value
                .iter()
                .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')),
        )),
        false => Err(wrong("the header 'Content-Length' is one number")),
    }
}

/// Takes a `Connection` away; whether it says that the connection is not to be kept.
pub fn take_connection(fields: &mut Fields) -> Result<bool> {
    let mut closes = false;
    let all: Vec<_> = fields
        .extract_if(.., |(name, _)| name.eq_ignore_ascii_case("connection"))
        .collect();
    for (_, value) in all {
        match value.to_ascii_lowercase().as_slice() {
            b"close" => closes = true,
            b"keep-alive" => {}
            _ => return Err(wrong("the header 'Connection' is 'close' or 'keep-alive'")),
        }
    }
    Ok(closes)
}

/// Whether a text is a token of HTTP.
pub fn is_token(text: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    !text.is_empty() && text.iter().all(is_token)
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(40).collect()
}
