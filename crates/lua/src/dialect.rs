//! The versions of the language.
//!
//! **Invariant:** a VM has one dialect from its making to its end, and so has a chunk; a VM loads chunks of its own dialect
//! only, because the compiler chooses instructions by it (a length is a float in 5.1, a loop's closing value exists from
//! 5.4 on). Code asks for what it needs to know by name ([`Dialect::has_integers`]) or by order
//! (`dialect >= Dialect::Lua53`), never by a list of versions.
//!
//! **Invariant:** in a VM of a dialect without integers no value that a script can see has the integer tag. Where it is kept:
//! literals, lengths and loops by the instructions the compiler chooses; what natives return, pass on or store by
//! [`Vm::script_value`](crate::vm::Vm::script_value) where it leaves them; keys (tables store integral keys as integers in every
//! dialect) where a traversal gives them out; the host's values where they enter.

use std::fmt;
use std::str::FromStr;

/// A version of Lua.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Lua 5.1, with what users of LuaJIT rely on (`goto`, `bit`, `table.new`, escapes of later versions).
    Lua51,
    /// Lua 5.2.
    Lua52,
    /// Lua 5.3.
    Lua53,
    /// Lua 5.4.
    #[default]
    Lua54,
    /// Lua 5.5.
    Lua55,
}

impl Dialect {
    /// All versions, oldest first.
    pub const ALL: [Dialect; 5] = [
        Dialect::Lua51,
        Dialect::Lua52,
        Dialect::Lua53,
        Dialect::Lua54,
        Dialect::Lua55,
    ];

    /// The version's number, as in `--dialect 5.1`.
    pub const fn number(self) -> &'static str {
        match self {
            Dialect::Lua51 => "5.1",
            Dialect::Lua52 => "5.2",
            Dialect::Lua53 => "5.3",
            Dialect::Lua54 => "5.4",
            Dialect::Lua55 => "5.5",
        }
    }

    /// What `_VERSION` is.
    pub const fn version(self) -> &'static str {
        match self {
            Dialect::Lua51 => "Lua 5.1",
            Dialect::Lua52 => "Lua 5.2",
            Dialect::Lua53 => "Lua 5.3",
            Dialect::Lua54 => "Lua 5.4",
            Dialect::Lua55 => "Lua 5.5",
        }
    }

    /// Whether numbers have an integer subtype (from 5.3 on).
    #[inline]
    pub const fn has_integers(self) -> bool {
        self as u8 >= Dialect::Lua53 as u8
    }

    /// Whether globals are fields of a variable called `_ENV` (from 5.2 on); in 5.1 each function has its own
    /// environment, which `setfenv` changes.
    #[inline]
    pub const fn has_env_variable(self) -> bool {
        self as u8 >= Dialect::Lua52 as u8
    }

    /// Whether local variables have attributes and can be closed (from 5.4 on).
    #[inline]
    pub const fn has_attributes(self) -> bool {
        self as u8 >= Dialect::Lua54 as u8
    }

    /// Whether a function expression may give the closure that it gave before (5.2, 5.3).
    #[inline]
    pub const fn reuses_closures(self) -> bool {
        matches!(self, Dialect::Lua52 | Dialect::Lua53)
    }

    /// Whether `a <= b` is `not (b < a)` where there is no `__le`: up to 5.4, which has it as the reference is built by default.
    #[inline]
    pub const fn le_by_lt(self) -> bool {
        (self as u8) < Dialect::Lua55 as u8
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// What [`Dialect::from_str`] was given is no version that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownDialect;

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the versions are 5.1, 5.2, 5.3, 5.4 and 5.5")
    }
}

impl std::error::Error for UnknownDialect {}

impl FromStr for Dialect {
    type Err = UnknownDialect;
    fn from_str(text: &str) -> Result<Dialect, UnknownDialect> {
        Dialect::ALL
            .into_iter()
            .find(|dialect| dialect.number() == text)
            .ok_or(UnknownDialect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_and_read_back() {
        assert!(Dialect::ALL.is_sorted());
        for dialect in Dialect::ALL {
            assert_eq!(dialect.number().parse(), Ok(dialect));
            assert!(dialect.version().ends_with(dialect.number()));
        }
        assert_eq!("5.6".parse::<Dialect>(), Err(UnknownDialect));
        assert_eq!(Dialect::default(), Dialect::Lua54);
    }
}
