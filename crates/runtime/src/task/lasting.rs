//! Data of a script's that outlives what it is in: values of `kv` and `cache`.

use super::{Tasks, letter};
use rille_lua::copy::{CopyLimits, NoCopy};
use rille_lua::value::Val;
use rille_lua::{Lua, Result, Value};

impl Tasks {
    /// A copy of a value in the VM, and at most how many bytes [`Tasks::encode_lasting`] makes of it; or why there is none.
    pub fn copy_lasting(
        &self,
        lua: &Lua,
        value: &Value,
        limits: CopyLimits,
    ) -> Result<std::result::Result<(Value, usize), NoCopy>> {
        lua.with_native(|ctx| {
            let kept = ctx.table_of(&self.kept);
            let value = ctx.value_of(value).unwrap_or(Val::NIL);
            Ok(match ctx.copy_data(value, kept, limits)? {
                // The number of tables, and the value itself.
                Ok(copied) => Ok((ctx.to_value(copied.value), copied.bytes + 16)),
                Err(why) => Err(why),
            })
        })
    }

    /// The bytes of a copy. The error is that it has light userdata other than null in it.
    pub fn encode_lasting(&self, value: &Value) -> Result<Vec<u8>> {
        letter::encode_lasting(&self.kept, value)
    }

    /// The value of these bytes, which no other function has made.
    pub fn decode_lasting(&self, lua: &Lua, bytes: &[u8]) -> Result<Value> {
        letter::decode(lua, &self.kept, bytes)
    }
}
