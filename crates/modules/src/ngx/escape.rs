//! Escapes: `ngx.escape_uri`, `ngx.unescape_uri`, `ngx.quote_sql_str`, and what they stand on.
//!
//! ```lua
//! ngx.escape_uri(text [, kind])  --> text with %XX; kind 0: a path, 2 (the default): a part of a query; 1, 3 to 6 as in nginx
//! ngx.unescape_uri(text)         --> %XX and + undone; what is no escape stays
//! ngx.quote_sql_str(text)        --> 'text' for MySQL
//! ```
//!
//! **Invariant:** [`unescape`] undoes [`escape`] of [`Kind::Component`], whatever the bytes.

use crate::text::{Loose, Text, argument, charge_text};
use rille_lua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

/// For what place a text is escaped: which bytes may not stand there as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path.
    Uri,
    /// The arguments behind a path, as a whole.
    Args,
    /// A name or value among the arguments.
    Component,
    /// A link in HTML.
    Html,
    /// The value of a `Refresh` header.
    Refresh,
    /// A key of memcached, and what goes to a mail back end.
    Memcached,
    /// The name of a header.
    HeaderName,
    /// The value of a header.
    HeaderValue,
    /// Arguments that a script gives as text: only what would break a request line.
    RawArgs,
}

impl Kind {
    /// The kind that scripts name by this number.
    fn numbered(number: i64) -> Option<Kind> {
        Some(match number {
            0 => Kind::Uri,
            1 => Kind::Args,
            2 => Kind::Component,
            3 => Kind::Html,
            4 => Kind::Refresh,
            5 | 6 => Kind::Memcached,
            _ => return None,
        })
    }

    /// Whether a byte is escaped.
    pub fn escapes(self, byte: u8) -> bool {
        self.set()[usize::from(byte)]
    }

    fn set(self) -> &'static Set {
        static URI: Set = set(b"#%?", true);
        static ARGS: Set = set(b"#%+?", true);
        static COMPONENT: Set = set(b"\"#$%&+,/:;<=>?@[\\]^`{|}", true);
        static HTML: Set = set(b"\"#%'", true);
        static REFRESH: Set = set(b"\"'", true);
        static HEADER_NAME: Set = set(b"\"(),/:;<=>?@[\\]{}", true);
        static RAW_ARGS: Set = set(&[0x7f], false);
        static MEMCACHED: Set = set(b"%", false);
        static HEADER_VALUE: Set = without(without(set(&[0x7f], false), b'\t'), b' ');
        match self {
            Kind::Uri => &URI,
            Kind::Args => &ARGS,
            Kind::Component => &COMPONENT,
            Kind::Html => &HTML,
            Kind::Refresh => &REFRESH,
            Kind::Memcached => &MEMCACHED,
            Kind::HeaderName => &HEADER_NAME,
            Kind::HeaderValue => &HEADER_VALUE,
            Kind::RawArgs => &RAW_ARGS,
        }
    }
}

/// For each byte whether it is escaped.
type Set = [bool; 256];

/// Control characters, the blank, these, and perhaps what is not ASCII.
const fn set(these: &[u8], beyond_ascii: bool) -> Set {
    let mut set = [false; 256];
    let mut byte = 0;
    while byte < set.len() {
        set[byte] = byte <= 0x20 || (byte >= 0x7f && beyond_ascii);
        byte += 1;
    }
    let mut at = 0;
    while at < these.len() {
        set[these[at] as usize] = true;
        at += 1;
    }
    set
}

const fn without(mut set: Set, byte: u8) -> Set {
    set[byte as usize] = false;
    set
}

/// How long a text is when it is escaped.
pub fn escaped_len(text: &[u8], kind: Kind) -> usize {
    text.len() + 2 * text.iter().filter(|byte| kind.escapes(**byte)).count()
}

/// Appends a text, escaped.
pub fn escape_into(text: &[u8], kind: Kind, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text {
        if kind.escapes(byte) {
            let digits = [usize::from(byte >> 4), usize::from(byte & 15)];
            out.extend_from_slice(&[b'%', DIGITS[digits[0]], DIGITS[digits[1]]]);
        } else {
            out.push(byte);
        }
    }
}

/// A text, escaped.
pub fn escape(text: &[u8], kind: Kind) -> Vec<u8> {
    let mut out = Vec::with_capacity(escaped_len(text, kind));
    escape_into(text, kind, &mut out);
    out
}

/// A text with its escapes undone; `+` is a blank, and what is no escape stays as it is.
pub fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        out.push(match (byte, after) {
            (b'+', _) => b' ',
            (b'%', [high, low, after @ ..]) => match hex_pair(*high, *low) {
                Some(byte) => {
                    rest = after;
                    byte
                }
                None => b'%',
            },
            (byte, _) => byte,
        });
    }
    out
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// A text as a string in MySQL's SQL, between quotes.
pub fn quote_sql(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    out.push(b'\'');
    for &byte in text {
        let letter = match byte {
            0 => b'0',
            8 => b'b',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            26 => b'Z',
            b'\\' | b'\'' | b'"' => byte,
            byte => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', letter]);
    }
    out.push(b'\'');
    out
}

/// Adds the functions.
pub(super) fn install(lua: &Lua, ngx: &Table) -> Result<()> {
    ngx.raw_set("escape_uri", lua.create_function(escape_uri)?)?;
    ngx.raw_set("unescape_uri", lua.create_function(unescape_uri)?)?;
    ngx.raw_set("quote_sql_str", lua.create_function(quote_sql_str)?)
}

fn escape_uri(lua: &Lua, (text, kind): (Loose, Value)) -> Result<LuaString> {
    let kind = kind_of(lua, kind)?;
    charge_text(lua, text.len());
    if escaped_len(&text.as_bytes(), kind) == text.len() {
        return Ok(text.into_string());
    }
    let escaped = escape(&text.as_bytes(), kind);
    charge_text(lua, escaped.len());
    lua.create_string(escaped)
}

fn kind_of(lua: &Lua, kind: Value) -> Result<Kind> {
    let number = match &kind {
        Value::Nil => return Ok(Kind::Component),
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => return Err(Error::runtime("\"type\" is not a number")),
    };
    let numbered = match number {
        0.0..=6.0 => Kind::numbered(number as i64),
        _ => None,
    };
    match numbered {
        Some(kind) => Ok(kind),
        None => {
            let shown = lua.coerce_string(kind)?;
            let shown = shown.map(|text| text.to_string_lossy()).unwrap_or_default();
            Err(Error::runtime(format_args!(
                "\"type\" {shown} out of range"
            )))
        }
    }
}

fn unescape_uri(lua: &Lua, text: Loose) -> Result<LuaString> {
    charge_text(lua, text.len());
    let unescaped = unescape(&text.as_bytes());
    lua.create_string(unescaped)
}

fn quote_sql_str(lua: &Lua, arguments: MultiValue) -> Result<LuaString> {
    if arguments.len() != 1 {
        return Err(Error::runtime("expecting one argument"));
    }
    let text: Text = argument(lua, &arguments, 1)?;
    charge_text(lua, text.len());
    let quoted = quote_sql(&text.as_bytes());
    lua.create_string(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;

    /// The bytes from the blank on that stay as they are.
    fn kept(kind: Kind) -> String {
        let kept = (b' '..0x7f).filter(|byte| !kind.escapes(*byte));
        kept.map(char::from).collect()
    }

    #[test]
    fn each_kind_keeps_what_nginx_keeps() {
        const ALL: &str = r##"!"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~"##;
        let all_but = |these: &str| ALL.replace(|c| these.contains(c), "");
        assert_eq!(kept(Kind::Uri), all_but("#%?"));
        assert_eq!(kept(Kind::Args), all_but("#%+?"));
        let letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";
        assert_eq!(kept(Kind::Component), format!("!'()*-.{letters}"));
        assert_eq!(kept(Kind::Html), all_but("\"#%'"));
        assert_eq!(kept(Kind::Refresh), all_but("\"'"));
        assert_eq!(kept(Kind::Memcached), all_but("%"));
        assert_eq!(kept(Kind::HeaderName), all_but("\"(),/:;<=>?@[\\]{}"));
        assert_eq!(kept(Kind::HeaderValue), format!(" {ALL}"));
        assert_eq!(kept(Kind::RawArgs), ALL);
        for kind in [Kind::Memcached, Kind::HeaderValue, Kind::RawArgs] {
            assert!((0x80..=0xff).all(|byte| !kind.escapes(byte)), "{kind:?}");
        }
        for kind in [Kind::Uri, Kind::Args, Kind::Component, Kind::HeaderName] {
            assert!((0x7f..=0xff).all(|byte| kind.escapes(byte)), "{kind:?}");
        }
        assert!(!Kind::HeaderValue.escapes(b'\t') && Kind::HeaderValue.escapes(b'\n'));
    }

    #[test]
    fn what_is_no_escape_stays() {
        assert_eq!(unescape(b"a+b%20c%2Bd"), b"a b c+d");
        assert_eq!(unescape(b"%"), b"%");
        assert_eq!(unescape(b"%4"), b"%4");
        assert_eq!(unescape(b"%zz%4g%+1"), b"%zz%4g% 1");
        assert_eq!(unescape(b"%%41"), b"%A");
        assert_eq!(unescape(b"%00%fF"), b"\0\xff");
    }

    #[test]
    fn random_bytes_come_back() {
        let mut random = Random::new(1);
        for _ in 0..2000 {
            let bytes = random.bytes(60);
            let escaped = escape(&bytes, Kind::Component);
            assert_eq!(escaped.len(), escaped_len(&bytes, Kind::Component));
            assert_eq!(unescape(&escaped), bytes);
            assert!(unescape(&bytes).len() <= bytes.len());
        }
    }

    #[test]
    fn a_quoted_text_holds_no_bare_quote() {
        assert_eq!(quote_sql(b""), b"''");
        assert_eq!(
            quote_sql(b"\0\x08\n\r\t\x1a\\'\"\xe4a"),
            b"'\\0\\b\\n\\r\\t\\Z\\\\\\'\\\"\xe4a'"
        );
    }
}
