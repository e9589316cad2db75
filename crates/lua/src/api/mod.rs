//! The embedding API, in mlua's names.
//!
//! | file | what |
//! |---|---|
//! | `state` | the gate to the VM, handles, calls: what everything here stands on |
//! | `lua`, `options`, `app_data` | [`Lua`] |
//! | `value`, `multi`, `string`, `table`, `function`, `thread`, `userdata` | values |
//! | `convert`, `convert_std` | values crossing |
//! | `callback`, `direct` | host functions |
//! | `parked` | coroutines that wait by the thousand, and natives that park them |
//! | `chunk` | loading source |
//! | `error` | errors |
//!
//! **Invariant:** no function here panics or aborts on what a script, or a value of another VM, gives it.

mod app_data;
pub(crate) mod callback;
mod chunk;
mod convert;
mod convert_std;
mod direct;
mod error;
mod function;
mod lua;
mod multi;
mod options;
mod parked;
mod state;
mod string;
mod table;
mod thread;
mod userdata;
mod value;

pub use app_data::{AppDataRef, AppDataRefMut};
pub use chunk::{
    AsChunk, ChunkBuilder, ChunkMode, compile, compile_as, compile_strict, skip_first_comment,
};
pub use convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
pub use direct::{Octets, Reply};
pub use error::{Error, ErrorContext, ExternalError, ExternalResult, Result, StopReason};
pub use function::{Function, FunctionInfo};
pub use lua::RegistryKey;
pub use multi::{MultiValue, Variadic};
pub use options::{LuaOptions, Profile};
pub use parked::Turn;
pub use state::{Lua, WeakLua};
pub use string::{BorrowedBytes, BorrowedStr, LuaString};
pub use table::{Table, TablePairs, TableSequence};
pub use thread::{AsyncCall, HostFuture, LocalBoxFuture, Outcome, Thread, ThreadStatus};
pub use userdata::{
    AnyUserData, MetaMethod, UserData, UserDataFields, UserDataMethods, UserDataRef,
    UserDataRefMut, UserDataRegistry,
};
pub use value::{Args, Glance, Integer, LightUserData, Nil, Number, Value};

/// The names most programs need, with `Lua` in front so that they do not clash.
pub mod prelude {
    pub use super::{
        AnyUserData as LuaAnyUserData, AppDataRef as LuaAppDataRef,
        AppDataRefMut as LuaAppDataRefMut, AsChunk as AsLuaChunk, ChunkMode as LuaChunkMode,
        Error as LuaError, ErrorContext as LuaErrorContext, ExternalError as LuaExternalError,
        ExternalResult as LuaExternalResult, FromLua, FromLuaMulti, Function as LuaFunction,
        FunctionInfo as LuaFunctionInfo, Glance as LuaGlance, Integer as LuaInteger, IntoLua,
        IntoLuaMulti, LightUserData as LuaLightUserData, Lua, LuaOptions, LuaString,
        MetaMethod as LuaMetaMethod, MultiValue as LuaMultiValue, Nil as LuaNil,
        Number as LuaNumber, Outcome as LuaOutcome, Profile as LuaProfile,
        RegistryKey as LuaRegistryKey, Result as LuaResult, StopReason as LuaStopReason,
        Table as LuaTable, TablePairs as LuaTablePairs, TableSequence as LuaTableSequence,
        Thread as LuaThread, ThreadStatus as LuaThreadStatus, UserData as LuaUserData,
        UserDataFields as LuaUserDataFields, UserDataMethods as LuaUserDataMethods,
        UserDataRef as LuaUserDataRef, UserDataRefMut as LuaUserDataRefMut,
        UserDataRegistry as LuaUserDataRegistry, Value as LuaValue, Variadic as LuaVariadic,
        WeakLua,
    };
}
