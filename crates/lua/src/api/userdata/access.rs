//! `__index` and `__newindex` of host types with fields: natives that look names up in tables of the VM.
//!
//! Their upvalues are tables by name and, at the end, what the type does itself for other keys (or nil). An entry of
//! the getters and setters, and the type's own, is a userdata with the host function in it; the methods are functions as scripts get
//! them. So a name is found by its address, as any key is, and only a getter or setter is a call of the host's.
//!
//! **Invariant:** nothing here trusts the upvalues: a script with the debug library may have exchanged them.

use crate::api::callback::{HostFn, call_hosted};
use crate::api::error::Result;
use crate::api::function::Function;
use crate::api::state::Lua;
use crate::api::table::Table;
use crate::api::value::Value;
use crate::function::{Cost, NativeDef};
use crate::native::{Ctx, NativeResult};
use crate::value::Val;
use std::collections::HashMap;

static INDEX: NativeDef = NativeDef::new("?", index, Cost::Host);
static NEW_INDEX: NativeDef = NativeDef::new("?", new_index, Cost::Host);

/// What the table in an upvalue has for a name; nil for other keys.
fn named(ctx: &mut Ctx<'_>, upvalue: usize, key: Val) -> Val {
    match (ctx.upvalue(upvalue).as_table(), key.as_str()) {
        (Some(t), Some(_)) => t.get(ctx.vm.heap.hash_key, key),
        _ => Val::NIL,
    }
}

/// `object[key]`: upvalues are the getters, the methods and constants, and the type's own `__index`.
fn index(ctx: &mut Ctx<'_>) -> NativeResult {
    let key = ctx.arg(1);
    ctx.vm.charge_key(key);
    let getter = named(ctx, 0, key);
    if !getter.is_nil() {
        return call_hosted(ctx, getter);
    }
    let member = named(ctx, 1, key);
    let own = ctx.upvalue(2);
    if member.is_nil() && !own.is_nil() {
        return call_hosted(ctx, own);
    }
    ctx.ret(member)
}

/// `object[key] = value`: upvalues are the setters and the type's own `__newindex`.
fn new_index(ctx: &mut Ctx<'_>) -> NativeResult {
    let key = ctx.arg(1);
    ctx.vm.charge_key(key);
    let mut setter = named(ctx, 0, key);
    if setter.is_nil() {
        setter = ctx.upvalue(1);
    }
    if !setter.is_nil() {
        return call_hosted(ctx, setter);
    }
    match key.as_str().map(|s| std::str::from_utf8(s.as_bytes())) {
        Some(Ok(name)) => Err(ctx.error(&format!("cannot set field '{name}'"))),
        _ => Err(ctx.error("cannot set this field")),
    }
}

/// Host functions by name, as a table.
fn table_of(lua: &Lua, functions: HashMap<String, HostFn>) -> Result<Value> {
    let table = lua.create_table()?;
    for (name, f) in functions {
        table.raw_set(name, lua.create_hosted(f)?)?;
    }
    Ok(Value::Table(table))
}

fn own_of(lua: &Lua, own: Option<HostFn>) -> Result<Value> {
    own.map_or(Ok(Value::Nil), |f| {
        lua.create_hosted(f).map(Value::UserData)
    })
}

/// The `__index` of a type with these getters and methods.
pub(super) fn index_function(
    lua: &Lua,
    getters: HashMap<String, HostFn>,
    methods: Table,
    own: Option<HostFn>,
) -> Result<Function> {
    let getters = table_of(lua, getters)?;
    let upvalues = [getters, Value::Table(methods), own_of(lua, own)?];
    lua.create_closure(&INDEX, &upvalues)
}

/// The `__newindex` of a type with these setters.
pub(super) fn new_index_function(
    lua: &Lua,
    setters: HashMap<String, HostFn>,
    own: Option<HostFn>,
) -> Result<Function> {
    let upvalues = [table_of(lua, setters)?, own_of(lua, own)?];
    lua.create_closure(&NEW_INDEX, &upvalues)
}
