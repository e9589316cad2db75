//! A virtual machine for Lua 5.1 to 5.5: preemptible, limited, embeddable, without a line of C.
//!
//! ```
//! use rille_lua::prelude::*;
//!
//! let lua = Lua::new();
//! lua.globals().set("greet", lua.create_function(|_, name: String| Ok(format!("hello, {name}")))?)?;
//! assert_eq!(lua.load("greet 'world'").eval::<String>()?, "hello, world");
//! # Ok::<(), LuaError>(())
//! ```
//!
//! The API has mlua's names; a port is mostly a changed import. What is different:
//!
//! - **Limits hold.** Memory is charged before it is allocated, and every instruction and every step of a library function
//!   is counted: [`LuaOptions::memory_limit`], [`Lua::set_instruction_limit`], [`Thread::resume_with_fuel`]. A script that
//!   is stopped cannot catch that ([`Error::Terminated`]).
//! - **Outcomes are an enum.** A slice of a coroutine ends as an [`Outcome`]: done, failed, yielded, waiting for a future,
//!   preempted, or terminated.
//! - **Everything can yield**: inside `pcall`, metamethods, iterators, and the callbacks of `table.sort` and `string.gsub`.
//! - **Nothing panics.** A value of another VM, a VM that is gone, a host function that panics: all are errors.
//! - **Code is shared.** [`compile`] gives a [`Chunk`] that any number of VMs on any thread can load.
//!
//! What libraries need from outside (time, files, output) comes through a [`Host`].
//!
//! The other modules are the VM itself; `ARCHITECTURE.md` is their map.

pub mod api;
pub mod buffer;
pub mod chunk;
pub mod compiler;
pub mod copy;
pub mod dialect;
pub mod disasm;
pub mod function;
pub mod heap;
pub mod host;
pub mod native;
pub mod number;
pub mod op;
pub mod short;
pub mod stdlib;
pub mod string;
pub mod table;
pub mod thread;
pub mod userdata;
pub mod value;
pub mod vm;

#[doc(inline)]
pub use api::{
    AnyUserData, AppDataRef, AppDataRefMut, Args, AsChunk, AsyncCall, BorrowedBytes, BorrowedStr,
    ChunkBuilder, ChunkMode, Error, ErrorContext, ExternalError, ExternalResult, FromLua,
    FromLuaMulti, Function, FunctionInfo, Glance, HostFuture, Integer, IntoLua, IntoLuaMulti,
    LightUserData, LocalBoxFuture, Lua, LuaOptions, LuaString, MetaMethod, MultiValue, Nil, Number,
    Octets, Outcome, Profile, RegistryKey, Reply, Result, StopReason, Table, TablePairs,
    TableSequence, Thread, ThreadStatus, Turn, UserData, UserDataFields, UserDataMethods,
    UserDataRef, UserDataRefMut, UserDataRegistry, Value, Variadic, WeakLua, compile, compile_as,
    compile_strict, prelude, skip_first_comment,
};
pub use chunk::Chunk;
pub use dialect::{Dialect, UnknownDialect};
pub use disasm::disassemble;
pub use host::{Buffering, CivilTime, Host, StdHost, StdStream};
