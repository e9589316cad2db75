//! Objects of OpenResty's libraries whose state is the host's: a table, with the module's functions behind it, whose `_ctx` is the
//! state.
//!
//! **Invariant:** an object takes at least as much of the VM's memory, as room in that table, as the host holds for it; so what the host
//! holds for all of them is below the app's memory limit.

use crate::text::bad_argument;
use rille_lua::{FromLua, Function, Lua, Result, Table, UserData, UserDataRefMut, Value};

/// What lua-resty-string says its version is.
pub(super) const VERSION: &str = "0.17";
/// Bytes of a table's room for one more field.
const FIELD: usize = 24;
/// Bytes that holding a state takes beside the state itself.
const HOLDING: usize = 128;

/// A module, and the metatable of its objects.
pub(super) struct Class {
    pub(super) module: Table,
    meta: Table,
}

impl Class {
    pub(super) fn new(lua: &Lua, version: &str) -> Result<Class> {
        let module = lua.create_table()?;
        module.raw_set("_VERSION", version)?;
        let meta = lua.create_table()?;
        meta.raw_set("__index", &module)?;
        Ok(Class { module, meta })
    }

    pub(super) fn add(&self, name: &str, function: Function) -> Result<()> {
        self.module.raw_set(name, function)
    }

    /// An object; its state takes so many bytes.
    pub(super) fn object(&self, lua: &Lua, state: impl UserData, bytes: usize) -> Result<Table> {
        let object = lua.create_table_with_capacity(0, 1 + (HOLDING + bytes).div_ceil(FIELD))?;
        object.raw_set("_ctx", lua.create_userdata(state)?)?;
        object.set_metatable(Some(self.meta.clone()))?;
        Ok(object)
    }
}

/// The state of the object that a method was called on.
pub(super) struct State<T>(pub(super) UserDataRefMut<T>);

impl<T: 'static> FromLua for State<T> {
    fn from_lua(value: Value, lua: &Lua) -> Result<State<T>> {
        let object = Table::from_lua(value, lua)?;
        let state: Result<UserDataRefMut<T>> = object.raw_get("_ctx");
        let state = state.map_err(|_| bad_argument(1, "an object of this module expected"))?;
        Ok(State(state))
    }
}
