//! The value: sixteen bytes, a payload and a tag, copied freely.
//!
//! **Invariant:** the tag tells how to read the payload. A tag of [`tag::STR`] or above means that the
//! payload is a pointer to a heap object whose header's kind equals the tag; the object is alive as long as
//! the value can be reached from a root (see `heap`). Whoever holds a `Val` in a Rust local across an
//! allocation must also have it on a stack, in a table, or in another root.

use crate::function::{LuaClosure, NativeClosure, NativeDef};
use crate::heap::{Gc, Header};
use crate::string::Str;
use crate::table::Table;
use crate::thread::Thread;
use crate::userdata::UserDataObject;

/// Type tags. `FALSE` and below are falsy; `STR` and above are heap objects.
pub mod tag {
    #![allow(missing_docs)]
    /// Zero: fresh memory of stacks and tables is all nil.
    pub const NIL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    pub const INT: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const LIGHT: u8 = 5;
    pub const NATIVE: u8 = 6;
    pub const STR: u8 = 7;
    pub const TABLE: u8 = 8;
    pub const LCLOSURE: u8 = 9;
    pub const NCLOSURE: u8 = 10;
    pub const USERDATA: u8 = 11;
    pub const THREAD: u8 = 12;
    /// Internal: a captured variable.
    pub const UPBOX: u8 = 13;
    /// Internal: a function's code and constants in one VM.
    pub const PROTO: u8 = 14;
    /// Internal: the key of a table node whose value is gone and whose key may be.
    pub const DEAD_KEY: u8 = 15;
    /// Internal: what a native's quick form gives instead of a value (`function::Quick`).
    pub const NOTHING: u8 = 16;
    /// Internal: as above.
    pub const UNSUITED: u8 = 17;
}

/// A Lua value.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Val {
    pub(crate) payload: u64,
    pub(crate) tag: u8,
}

const _: () = assert!(size_of::<Val>() == 16);

/// The eight basic types, in the order of the reference's type numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Type {
    /// `nil`
    Nil,
    /// booleans
    Boolean,
    /// a pointer that means something to the host only
    LightUserData,
    /// integers and floats
    Number,
    /// strings
    String,
    /// tables
    Table,
    /// Lua functions and native ones
    Function,
    /// host objects
    UserData,
    /// coroutines
    Thread,
}

impl Type {
    /// The name that `type` returns.
    pub const fn name(self) -> &'static str {
        match self {
            Type::Nil => "nil",
            Type::Boolean => "boolean",
            Type::LightUserData | Type::UserData => "userdata",
            Type::Number => "number",
            Type::String => "string",
            Type::Table => "table",
            Type::Function => "function",
            Type::Thread => "thread",
        }
    }
    /// How many types there are.
    pub const COUNT: usize = 9;
    /// All types, in order.
    pub(crate) const ALL: [Type; Type::COUNT] = [
        Type::Nil,
        Type::Boolean,
        Type::LightUserData,
        Type::Number,
        Type::String,
        Type::Table,
        Type::Function,
        Type::UserData,
        Type::Thread,
    ];
}

impl Default for Val {
    fn default() -> Val {
        Val::NIL
    }
}

impl Val {
    /// A quick native's: no result.
    pub(crate) const NOTHING: Val = Val {
        payload: 0,
        tag: tag::NOTHING,
    };
    /// A quick native's: this is not for it.
    pub(crate) const UNSUITED: Val = Val {
        payload: 0,
        tag: tag::UNSUITED,
    };
    /// `nil`.
    pub const NIL: Val = Val {
        payload: 0,
        tag: tag::NIL,
    };
    /// `true`.
    pub const TRUE: Val = Val {
        payload: 0,
        tag: tag::TRUE,
    };
    /// `false`.
    pub const FALSE: Val = Val {
        payload: 0,
        tag: tag::FALSE,
    };

    /// An integer.
    #[inline(always)]
    pub const fn int(i: i64) -> Val {
        Val {
            payload: i as u64,
            tag: tag::INT,
        }
    }
    /// A float.
    #[inline(always)]
    pub const fn float(f: f64) -> Val {
        Val {
            payload: f.to_bits(),
            tag: tag::FLOAT,
        }
    }
    /// A boolean.
    #[inline(always)]
    pub const fn bool(b: bool) -> Val {
        Val {
            payload: 0,
            tag: tag::FALSE + b as u8,
        }
    }
    /// A light userdata.
    #[inline(always)]
    pub fn light(p: usize) -> Val {
        Val {
            payload: p as u64,
            tag: tag::LIGHT,
        }
    }
    /// A native function without upvalues.
    #[inline(always)]
    pub fn native(def: &'static NativeDef) -> Val {
        Val {
            payload: def as *const NativeDef as u64,
            tag: tag::NATIVE,
        }
    }
    #[inline(always)]
    pub(crate) fn object(header: *mut Header, kind: u8) -> Val {
        Val {
            payload: header as u64,
            tag: kind,
        }
    }
    /// A string.
    #[inline(always)]
    pub fn str(s: Gc<Str>) -> Val {
        Val {
            payload: s.addr(),
            tag: tag::STR,
        }
    }
    /// A table.
    #[inline(always)]
    pub fn table(t: Gc<Table>) -> Val {
        Val {
            payload: t.addr(),
            tag: tag::TABLE,
        }
    }
    /// A coroutine.
    #[inline(always)]
    pub fn thread(t: Gc<Thread>) -> Val {
        Val {
            payload: t.addr(),
            tag: tag::THREAD,
        }
    }
    /// A Lua function.
    #[inline(always)]
    pub fn lua_closure(c: Gc<LuaClosure>) -> Val {
        Val {
            payload: c.addr(),
            tag: tag::LCLOSURE,
        }
    }
    /// A native function with upvalues.
    #[inline(always)]
    pub fn native_closure(c: Gc<NativeClosure>) -> Val {
        Val {
            payload: c.addr(),
            tag: tag::NCLOSURE,
        }
    }
    /// A userdata.
    #[inline(always)]
    pub fn userdata(u: Gc<UserDataObject>) -> Val {
        Val {
            payload: u.addr(),
            tag: tag::USERDATA,
        }
    }

    /// Whether the value is `nil`.
    #[inline(always)]
    pub const fn is_nil(self) -> bool {
        self.tag == tag::NIL
    }
    /// Whether a condition takes the value for true.
    #[inline(always)]
    pub const fn truthy(self) -> bool {
        self.tag > tag::FALSE
    }
    /// Whether the value is an integer or a float.
    #[inline(always)]
    pub const fn is_number(self) -> bool {
        self.tag == tag::INT || self.tag == tag::FLOAT
    }
    /// Whether the value is a string.
    #[inline(always)]
    pub const fn is_str(self) -> bool {
        self.tag == tag::STR
    }
    /// Whether the value is a table.
    #[inline(always)]
    pub const fn is_table(self) -> bool {
        self.tag == tag::TABLE
    }
    /// Whether the value is a function of any kind.
    #[inline(always)]
    pub const fn is_function(self) -> bool {
        matches!(self.tag, tag::NATIVE | tag::LCLOSURE | tag::NCLOSURE)
    }
    /// Whether the value is a heap object.
    #[inline(always)]
    pub const fn is_object(self) -> bool {
        self.tag >= tag::STR
    }
    #[inline(always)]
    pub(crate) fn header(self) -> *mut Header {
        debug_assert!(self.is_object());
        self.payload as *mut Header
    }

    /// The integer, if the value is one (floats are not converted).
    #[inline(always)]
    pub const fn as_int(self) -> Option<i64> {
        if self.tag == tag::INT {
            Some(self.payload as i64)
        } else {
            None
        }
    }
    /// The float, if the value is one (integers are not converted).
    #[inline(always)]
    pub const fn as_float(self) -> Option<f64> {
        if self.tag == tag::FLOAT {
            Some(f64::from_bits(self.payload))
        } else {
            None
        }
    }
    /// The boolean, if the value is one.
    #[inline(always)]
    pub const fn as_bool(self) -> Option<bool> {
        match self.tag {
            tag::FALSE => Some(false),
            tag::TRUE => Some(true),
            _ => None,
        }
    }
    #[inline(always)]
    pub(crate) const fn raw_int(self) -> i64 {
        self.payload as i64
    }
    #[inline(always)]
    pub(crate) const fn raw_float(self) -> f64 {
        f64::from_bits(self.payload)
    }
    /// The number as a float (integers are converted), if the value is a number.
    #[inline(always)]
    pub const fn as_number(self) -> Option<f64> {
        match self.tag {
            tag::FLOAT => Some(f64::from_bits(self.payload)),
            tag::INT => Some(self.payload as i64 as f64),
            _ => None,
        }
    }
    /// The string, if the value is one.
    #[inline(always)]
    pub fn as_str(self) -> Option<Gc<Str>> {
        if self.tag == tag::STR {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The table, if the value is one.
    #[inline(always)]
    pub fn as_table(self) -> Option<Gc<Table>> {
        if self.tag == tag::TABLE {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The coroutine, if the value is one.
    #[inline(always)]
    pub fn as_thread(self) -> Option<Gc<Thread>> {
        if self.tag == tag::THREAD {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The userdata, if the value is one.
    #[inline(always)]
    pub fn as_userdata(self) -> Option<Gc<UserDataObject>> {
        if self.tag == tag::USERDATA {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The Lua function, if the value is one.
    #[inline(always)]
    pub fn as_lua_closure(self) -> Option<Gc<LuaClosure>> {
        if self.tag == tag::LCLOSURE {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The native function with upvalues, if the value is one.
    #[inline(always)]
    pub fn as_native_closure(self) -> Option<Gc<NativeClosure>> {
        if self.tag == tag::NCLOSURE {
            Some(self.raw_gc())
        } else {
            None
        }
    }
    /// The definition of the native function, with or without upvalues, if the value is one.
    #[inline(always)]
    pub fn as_native(self) -> Option<&'static NativeDef> {
        match self.tag {
            // SAFETY: the only maker of the tag, `Val::native`, takes a `&'static NativeDef`.
            tag::NATIVE => Some(unsafe { &*(self.payload as *const NativeDef) }),
            tag::NCLOSURE => Some(self.raw_gc::<NativeClosure>().def),
            _ => None,
        }
    }
    /// The payload as a pointer to the object that the tag names.
    #[inline(always)]
    pub(crate) fn raw_gc<T>(self) -> Gc<T> {
        debug_assert!(self.is_object());
        // SAFETY: a value with an object tag holds a non-null pointer to an object of that kind (invariant above);
        // callers name the type that belongs to the tag they have checked.
        unsafe { Gc::from_addr(self.payload) }
    }

    /// The basic type.
    pub fn type_of(self) -> Type {
        match self.tag {
            tag::NIL => Type::Nil,
            tag::FALSE | tag::TRUE => Type::Boolean,
            tag::INT | tag::FLOAT => Type::Number,
            tag::LIGHT => Type::LightUserData,
            tag::STR => Type::String,
            tag::TABLE => Type::Table,
            tag::USERDATA => Type::UserData,
            tag::THREAD => Type::Thread,
            _ => Type::Function,
        }
    }
    /// The name of the basic type, as `type` returns it.
    pub fn type_name(self) -> &'static str {
        self.type_of().name()
    }

    /// Equality without metamethods.
    #[inline(always)]
    pub fn raw_eq(self, other: Val) -> bool {
        if self.tag != other.tag {
            return self.eq_across_numbers(other);
        }
        match self.tag {
            tag::NIL | tag::FALSE | tag::TRUE => true,
            tag::FLOAT => self.raw_float() == other.raw_float(),
            tag::STR => {
                self.payload == other.payload || {
                    let (a, b) = (self.raw_gc::<Str>(), other.raw_gc::<Str>());
                    !a.is_interned() && !b.is_interned() && a.as_bytes() == b.as_bytes()
                }
            }
            _ => self.payload == other.payload,
        }
    }

    fn eq_across_numbers(self, other: Val) -> bool {
        match (self.tag, other.tag) {
            (tag::INT, tag::FLOAT) => int_eq_float(self.raw_int(), other.raw_float()),
            (tag::FLOAT, tag::INT) => int_eq_float(other.raw_int(), self.raw_float()),
            _ => false,
        }
    }
}

fn int_eq_float(i: i64, f: f64) -> bool {
    // Converting i to a float may round; converting f to an integer (when it is one) does not.
    crate::number::float_to_int(f) == Some(i)
}

impl std::fmt::Debug for Val {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.tag {
            tag::NIL => write!(f, "nil"),
            tag::FALSE => write!(f, "false"),
            tag::TRUE => write!(f, "true"),
            tag::INT => write!(f, "{}", self.raw_int()),
            tag::FLOAT => write!(f, "{:?}", self.raw_float()),
            tag::STR => write!(
                f,
                "{:?}",
                String::from_utf8_lossy(self.raw_gc::<Str>().as_bytes())
            ),
            _ => write!(f, "{}@{:x}", self.type_name(), self.payload),
        }
    }
}
