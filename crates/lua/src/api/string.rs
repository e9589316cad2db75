//! Lua strings as Rust code holds them: bytes that stay where they are as long as a handle lives.

use super::error::{Error, Result};
use super::state::{Handle, Lua};
use crate::string::Str;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// A Lua string: any bytes.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let s = lua.create_string(b"caf\xc3\xa9")?;
/// assert_eq!(s.to_str()?, "café");
/// assert_eq!(s.as_bytes().len(), 5);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct LuaString(pub(crate) Handle);

impl Eq for LuaString {}

/// The bytes of a string, borrowed from its VM.
pub struct BorrowedBytes<'a> {
    bytes: &'a [u8],
    /// Keeps the VM, so that the bytes stay even if its last other owner goes.
    _lua: Option<Lua>,
}

/// The text of a string, borrowed from its VM.
pub struct BorrowedStr<'a> {
    text: &'a str,
    _lua: Option<Lua>,
}

impl LuaString {
    /// The bytes; empty if the VM is gone.
    pub fn as_bytes(&self) -> BorrowedBytes<'_> {
        match self.0.lua() {
            Ok(lua) => BorrowedBytes {
                bytes: self.0.raw::<Str>().as_bytes(),
                _lua: Some(lua),
            },
            Err(_) => BorrowedBytes {
                bytes: &[],
                _lua: None,
            },
        }
    }

    /// The text, if it is UTF-8.
    pub fn to_str(&self) -> Result<BorrowedStr<'_>> {
        let lua = self.0.lua()?;
        match std::str::from_utf8(self.0.raw::<Str>().as_bytes()) {
            Ok(text) => Ok(BorrowedStr {
                text,
                _lua: Some(lua),
            }),
            Err(e) => Err(Error::from_lua_conversion(
                "string",
                "str",
                Some(&e.to_string()),
            )),
        }
    }

    /// The text, with what is not UTF-8 replaced.
    pub fn to_string_lossy(&self) -> String {
        String::from_utf8_lossy(&self.as_bytes()).into_owned()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An address that names the string.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        std::ptr::without_provenance(self.0.address())
    }
}

impl fmt::Debug for LuaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string_lossy())
    }
}
impl fmt::Display for LuaString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_string_lossy())
    }
}
impl Hash for LuaString {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}
impl PartialEq<str> for LuaString {
    fn eq(&self, other: &str) -> bool {
        *self.as_bytes() == *other.as_bytes()
    }
}
impl PartialEq<&str> for LuaString {
    fn eq(&self, other: &&str) -> bool {
        *self.as_bytes() == *other.as_bytes()
    }
}
impl PartialEq<[u8]> for LuaString {
    fn eq(&self, other: &[u8]) -> bool {
        *self.as_bytes() == *other
    }
}
impl PartialEq<&[u8]> for LuaString {
    fn eq(&self, other: &&[u8]) -> bool {
        *self.as_bytes() == **other
    }
}

impl Deref for BorrowedBytes<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes
    }
}
impl AsRef<[u8]> for BorrowedBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self.bytes
    }
}
impl Borrow<[u8]> for BorrowedBytes<'_> {
    fn borrow(&self) -> &[u8] {
        self.bytes
    }
}
impl fmt::Debug for BorrowedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.fmt(f)
    }
}
impl<T: AsRef<[u8]>> PartialEq<T> for BorrowedBytes<'_> {
    fn eq(&self, other: &T) -> bool {
        self.bytes == other.as_ref()
    }
}
impl Hash for BorrowedBytes<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl Deref for BorrowedStr<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        self.text
    }
}
impl AsRef<str> for BorrowedStr<'_> {
    fn as_ref(&self) -> &str {
        self.text
    }
}
impl Borrow<str> for BorrowedStr<'_> {
    fn borrow(&self) -> &str {
        self.text
    }
}
impl fmt::Debug for BorrowedStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
impl fmt::Display for BorrowedStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}
impl<T: AsRef<str>> PartialEq<T> for BorrowedStr<'_> {
    fn eq(&self, other: &T) -> bool {
        self.text == other.as_ref()
    }
}
