//! Table accesses and conversions by natives that honour metamethods.
//!
//! **Invariant:** nothing here calls Lua. Where a metamethod is to be called, it and its arguments are pushed and the
//! answer is [`Access::Call`]: the native then returns `ctx.call(n, continuation)`, and the result arrives there.

use crate::heap::Gc;
use crate::native::{Ctx, Thrown, to_integer};
use crate::number;
use crate::string::Str;
use crate::table::{KIND_FROZEN, KIND_LAYERED, Table};
use crate::value::{Val, tag};
use crate::vm::debug::Operand;
use crate::vm::{Event, Vm};

/// Links of an `__index` or `__newindex` chain that are followed.
const MAX_CHAIN: usize = 2000;

/// What an access came to.
#[derive(Clone, Copy)]
pub(crate) enum Access {
    /// The value (nil for a store).
    Now(Val),
    /// A metamethod and so many arguments have been pushed: call it.
    Call(usize),
}

fn push_call(ctx: &mut Ctx<'_>, values: &[Val]) -> Access {
    for v in values {
        ctx.push(*v);
    }
    Access::Call(values.len() - 1)
}

/// `object[key]`. The object and the key must be reachable.
pub(crate) fn index(ctx: &mut Ctx<'_>, object: Val, key: Val) -> Result<Access, Thrown> {
    let mut object = object;
    ctx.charge_key(key);
    for _ in 0..MAX_CHAIN {
        let handler = if let Some(t) = object.as_table() {
            if t.header.extra & KIND_LAYERED != 0 {
                if let Some(v) = ctx.vm.own_global(key) {
                    return Ok(Access::Now(v));
                }
                object = Val::table(t.layered_base());
                continue;
            }
            let v = ctx.raw_get(t, key);
            if !v.is_nil() || t.meta.is_null() {
                return Ok(Access::Now(v));
            }
            let handler = ctx.vm.meta_of(object, Event::Index);
            if handler.is_nil() {
                return Ok(Access::Now(Val::NIL));
            }
            handler
        } else {
            let handler = ctx.vm.meta_of(object, Event::Index);
            if handler.is_nil() {
                return Err(ctx.vm.index_error(object, key, Operand::None));
            }
            handler
        };
        ctx.charge(1);
        if handler.is_function() {
            return Ok(push_call(ctx, &[handler, object, key]));
        }
        object = handler;
    }
    Err(ctx.error(ctx.vm.chain_message(Event::Index)))
}

/// `object[key] = v`. All three must be reachable.
pub(crate) fn assign(ctx: &mut Ctx<'_>, object: Val, key: Val, v: Val) -> Result<Access, Thrown> {
    let mut object = object;
    ctx.charge_key(key);
    for _ in 0..MAX_CHAIN {
        let handler = if let Some(mut t) = object.as_table() {
            if t.header.extra & KIND_FROZEN != 0 {
                return Err(ctx.error("attempt to modify a read-only table"));
            }
            if t.header.extra & KIND_LAYERED != 0 {
                t = ctx.vm.layered_target(t);
            }
            let handler = match t.meta.is_null() {
                true => Val::NIL,
                false => ctx.vm.meta_of(Val::table(t), Event::NewIndex),
            };
            if handler.is_nil() || !ctx.raw_get(t, key).is_nil() {
                ctx.raw_set(t, key, v)?;
                return Ok(Access::Now(Val::NIL));
            }
            handler
        } else {
            let handler = ctx.vm.meta_of(object, Event::NewIndex);
            if handler.is_nil() {
                return Err(ctx.vm.index_error(object, key, Operand::None));
            }
            handler
        };
        ctx.charge(1);
        if handler.is_function() {
            return Ok(push_call(ctx, &[handler, object, key, v]));
        }
        object = handler;
    }
    Err(ctx.error(ctx.vm.chain_message(Event::NewIndex)))
}

/// `#object`. What comes back must go through [`length_value`].
pub(crate) fn length(ctx: &mut Ctx<'_>, object: Val) -> Result<Access, Thrown> {
    if let Some(s) = object.as_str() {
        return Ok(Access::Now(Val::int(s.len() as i64)));
    }
    let handler = ctx.vm.meta_of(object, Event::Len);
    if !handler.is_nil() {
        return Ok(push_call(ctx, &[handler, object]));
    }
    match object.as_table() {
        Some(mut t) if t.header.extra & KIND_LAYERED == 0 => Ok(Access::Now(Val::int(t.border()))),
        Some(t) => Ok(Access::Now(Val::int(t.layered_base().border()))),
        None => Err(ctx.error(&format!(
            "attempt to get length of a {} value",
            object.type_name()
        ))),
    }
}

/// The integer that `__len` gave.
pub(crate) fn length_value(ctx: &mut Ctx<'_>, v: Val) -> Result<i64, Thrown> {
    // Unlike arithmetic, a length that is a numeric string counts, as in the reference.
    ctx.charge_numeral(v);
    to_integer(v).ok_or_else(|| ctx.error("object length is not an integer"))
}

/// Whether an access must look at metamethods: `false` for a table without a metatable.
#[inline(always)]
pub(crate) fn plain(v: Val) -> Option<Gc<Table>> {
    v.as_table().filter(|t| t.meta.is_null() && t.is_ordinary())
}

/// Checks that argument `i` is a table, or has the metamethods that make it work like one.
pub(crate) fn check_tablelike(ctx: &mut Ctx<'_>, i: usize, needed: &[Event]) -> Result<(), Thrown> {
    let v = ctx.arg(i);
    if v.tag == tag::TABLE {
        return Ok(());
    }
    let works = ctx.metatable(v).is_some()
        && needed
            .iter()
            .all(|event| !ctx.vm.meta_of(v, *event).is_nil());
    if works {
        Ok(())
    } else {
        Err(ctx.type_error(i, "table"))
    }
}

/// The number that tells an object (or native, or light userdata) from others: its address, or in a sandbox, where that
/// would tell an attacker where to aim, the address under a permutation that depends on the VM's secret key.
pub(crate) fn identity(vm: &Vm, v: Val) -> u64 {
    if vm.full_access() {
        return v.payload;
    }
    let mix = |n: u64| {
        let n = (n ^ n >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ n >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        n ^ n >> 31
    };
    let key = vm.heap.hash_key;
    mix(mix(v.payload ^ mix(key)) ^ mix(!key))
}

/// What `tostring` says of a number.
pub(crate) fn number_text(vm: &mut Vm, v: Val) -> Result<Gc<Str>, Thrown> {
    match v.as_float() {
        Some(f) => vm.new_str(number::float_text(vm.dialect, f).as_bytes()),
        None => vm.number_to_str(v),
    }
}

/// What `tostring` says without calling anything: `None` if there is a `__tostring`.
pub(crate) fn plain_text(ctx: &mut Ctx<'_>, v: Val) -> Result<Option<Gc<Str>>, Thrown> {
    match v.tag {
        tag::STR => return Ok(v.as_str()),
        tag::INT | tag::FLOAT => return number_text(ctx.vm, v).map(Some),
        _ => {}
    }
    if !ctx.vm.meta_of(v, Event::ToString).is_nil() {
        return Ok(None);
    }
    let text = match v.tag {
        tag::NIL => "nil".to_owned(),
        tag::FALSE => "false".to_owned(),
        tag::TRUE => "true".to_owned(),
        // As LuaJIT has it: programs look for it. `printf` of other systems says "(nil)" or "0x0".
        tag::LIGHT if v.payload == 0 => "userdata: NULL".to_owned(),
        _ => {
            // `__name` counts only here; messages name light userdata differently.
            let name = match v.tag {
                tag::LIGHT => "userdata".to_owned(),
                _ => ctx.vm.type_name_for_message(v),
            };
            format!("{name}: {:#x}", identity(ctx.vm, v))
        }
    };
    ctx.new_str(text.as_bytes()).map(Some)
}

/// `tostring(v)`: the string, or a call whose result must go through [`text_value`].
pub(crate) fn text(ctx: &mut Ctx<'_>, v: Val) -> Result<Access, Thrown> {
    if let Some(s) = plain_text(ctx, v)? {
        return Ok(Access::Now(Val::str(s)));
    }
    let handler = ctx.vm.meta_of(v, Event::ToString);
    Ok(push_call(ctx, &[handler, v]))
}

/// The string that `__tostring` gave (numbers count, as in the reference).
pub(crate) fn text_value(ctx: &mut Ctx<'_>, v: Val) -> Result<Gc<Str>, Thrown> {
    match ctx.to_str(v)? {
        Some(s) => Ok(s),
        None => Err(ctx.error("'__tostring' must return a string")),
    }
}
