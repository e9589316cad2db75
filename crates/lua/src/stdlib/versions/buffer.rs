//! LuaJIT's `string.buffer`: bytes that are put together at one end and taken from the other.
//!
//! | function | here |
//! |---|---|
//! | `new put putf set get skip reset free tostring # ..` | as there |
//! | `reserve commit ref` | refused: they are for C |
//! | `encode decode` | refused |
//!
//! **Invariant:** a buffer is a userdata; its bytes are charged as they grow. What was taken stays in front ([`Text::taken`])
//! until it is more than half, so taking and putting are linear together.

use crate::function::{Cost, NativeDef};
use crate::native::{Buffer, Ctx, NativeResult, Thrown};
use crate::stdlib::access::{self, Access};
use crate::stdlib::package;
use crate::stdlib::string::FORMAT;
use crate::value::Val;
use crate::vm::Vm;

static LOAD: NativeDef = NativeDef::new("string.buffer", load_module, Cost::Constant);
static NEW: NativeDef = NativeDef::new("new", new, Cost::Bytes);
static PUT: NativeDef = NativeDef::new("put", put, Cost::Bytes);
static PUTF: NativeDef = NativeDef::new("putf", putf, Cost::Bytes);
static SET: NativeDef = NativeDef::new("set", set, Cost::Bytes);
static GET: NativeDef = NativeDef::new("get", get, Cost::Bytes);
static SKIP: NativeDef = NativeDef::new("skip", skip, Cost::Bytes);
static RESET: NativeDef = NativeDef::new("reset", reset, Cost::Constant);
static FREE: NativeDef = NativeDef::new("free", reset, Cost::Constant);
static TOSTRING: NativeDef = NativeDef::new("tostring", tostring, Cost::Bytes);
static META_TOSTRING: NativeDef = NativeDef::new("__tostring", tostring, Cost::Bytes);
static META_LEN: NativeDef = NativeDef::new("__len", len, Cost::Constant);
static META_CONCAT: NativeDef = NativeDef::new("__concat", concat, Cost::Bytes);
static REFUSED: [NativeDef; 5] = [
    NativeDef::new("commit", |ctx| refuse(ctx, "commit"), Cost::Constant),
    NativeDef::new("decode", |ctx| refuse(ctx, "decode"), Cost::Constant),
    NativeDef::new("encode", |ctx| refuse(ctx, "encode"), Cost::Constant),
    NativeDef::new("ref", |ctx| refuse(ctx, "ref"), Cost::Constant),
    NativeDef::new("reserve", |ctx| refuse(ctx, "reserve"), Cost::Constant),
];

/// What a buffer's userdata holds.
struct Text {
    bytes: Buffer,
    /// How many bytes at the start have been taken.
    taken: usize,
}

/// The only upvalue of `new`: the metatable of buffers.
const METATABLE: usize = 0;

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let preload = package::preload(vm)?;
    vm.register(preload, &[&LOAD])
}

#[cold]
fn refuse(ctx: &mut Ctx<'_>, what: &str) -> NativeResult {
    Err(ctx.error(&format!("string.buffer: '{what}' is not available")))
}

/// `require "string.buffer"`
fn load_module(ctx: &mut Ctx<'_>) -> NativeResult {
    let module = ctx.new_table(0, 4)?;
    ctx.push(Val::table(module));
    let methods = ctx.new_table(0, 16)?;
    ctx.push(Val::table(methods));
    let natives = [&PUT, &PUTF, &SET, &GET, &SKIP, &RESET, &FREE, &TOSTRING];
    ctx.vm.register(methods, &natives)?;
    for def in &REFUSED {
        ctx.vm.register(methods, &[def])?;
        if matches!(def.name, "encode" | "decode") {
            ctx.vm.register(module, &[def])?;
        }
    }
    let meta = ctx.new_table(0, 8)?;
    ctx.push(Val::table(meta));
    ctx.vm
        .register(meta, &[&META_TOSTRING, &META_LEN, &META_CONCAT])?;
    ctx.set_field(meta, "__index", Val::table(methods))?;
    let closed = Val::str(ctx.new_str(b"buffer")?);
    ctx.set_field(meta, "__metatable", closed)?;
    let new = ctx.vm.new_native_closure(&NEW, &[Val::table(meta)])?;
    ctx.set_field(module, "new", Val::native_closure(new))?;
    ctx.ret(Val::table(module))
}

/// `new([size] [, options])`
fn new(ctx: &mut Ctx<'_>) -> NativeResult {
    if !ctx.is_none_or_nil(0) && !ctx.arg(0).is_table() {
        // Room grows when it is needed; the number is only checked.
        ctx.check_int(0)?;
    }
    let text = Text {
        bytes: ctx.buffer(),
        taken: 0,
    };
    let made = ctx.vm.new_userdata(Box::new(text))?;
    ctx.push(Val::userdata(made));
    let meta = ctx.upvalue(METATABLE).as_table();
    ctx.vm.set_metatable(Val::userdata(made), meta)?;
    ctx.ret(Val::userdata(made))
}

fn as_text<'a>(ctx: &Ctx<'a>, v: Val) -> Option<&'a mut Text> {
    ctx.userdata_mut::<Text>(v.as_userdata()?)
}

fn check_text<'a>(ctx: &mut Ctx<'a>, i: usize) -> Result<&'a mut Text, Thrown> {
    match as_text(ctx, ctx.arg(i)) {
        Some(text) => Ok(text),
        None => Err(ctx.type_error(i, "buffer")),
    }
}

impl Text {
    fn rest(&self) -> &[u8] {
        &self.bytes.as_bytes()[self.taken..]
    }

    /// Takes up to `n` bytes, which [`Text::rest`] showed.
    fn take(&mut self, ctx: &mut Ctx<'_>, n: usize) -> Result<(), Thrown> {
        self.taken += n.min(self.rest().len());
        if self.taken > self.bytes.len() / 2 {
            ctx.charge(self.rest().len() / 16);
            let mut bytes = ctx.buffer();
            bytes.push(ctx, self.rest())?;
            (self.bytes, self.taken) = (bytes, 0);
        }
        Ok(())
    }
}

/// `buffer:put(value, ...)`: strings, numbers, buffers, and what has `__tostring`.
fn put(ctx: &mut Ctx<'_>) -> NativeResult {
    check_text(ctx, 0)?;
    // Behind the arguments: which one is next.
    let n = ctx.nargs();
    ctx.resize_args(n + 1)?;
    ctx.set_arg(n, Val::int(1));
    put_next(ctx)
}

fn put_next(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() - 1;
    let text = check_text(ctx, 0)?;
    loop {
        let at = ctx.arg(n).raw_int() as usize;
        if at == n {
            let own = ctx.arg(0);
            return ctx.ret(own);
        }
        let v = ctx.arg(at);
        if let Some(other) = as_text(ctx, v) {
            // A buffer may be put into itself.
            ctx.charge(other.rest().len() / 8);
            let mut copy = ctx.buffer();
            copy.push(ctx, other.rest())?;
            text.bytes.push(ctx, copy.as_bytes())?;
        } else if let Some(s) = ctx.to_str(v)? {
            ctx.charge(1 + s.len() / 16);
            ctx.push(Val::str(s));
            text.bytes.push(ctx, s.as_bytes())?;
            ctx.pop();
        } else {
            return match access::text(ctx, v)? {
                Access::Call(nargs) => ctx.call(nargs, put_converted),
                Access::Now(_) => Err(ctx.type_error(at, "string")),
            };
        }
        ctx.set_arg(n, Val::int(at as i64 + 1));
    }
}

fn put_converted(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = ctx.nargs() - 1;
    let v = ctx.result(0);
    let text = access::text_value(ctx, v)?;
    let results = ctx.results();
    ctx.set_top(results);
    ctx.push(Val::str(text));
    ctx.charge(text.len() / 16);
    check_text(ctx, 0)?.bytes.push(ctx, text.as_bytes())?;
    ctx.set_top(results);
    let at = ctx.arg(n).raw_int();
    ctx.set_arg(n, Val::int(at + 1));
    put_next(ctx)
}

/// `buffer:putf(format, ...)`: what `string.format` makes.
fn putf(ctx: &mut Ctx<'_>) -> NativeResult {
    check_text(ctx, 0)?;
    let n = ctx.nargs();
    ctx.reserve(n + 1)?;
    ctx.push(Val::native(&FORMAT));
    for i in 1..n {
        let v = ctx.arg(i);
        ctx.push(v);
    }
    ctx.call(n - 1, |ctx| {
        let result = ctx.result(0);
        if let Some(s) = result.as_str() {
            ctx.charge(s.len() / 16);
            check_text(ctx, 0)?.bytes.push(ctx, s.as_bytes())?;
        }
        let own = ctx.arg(0);
        ctx.ret(own)
    })
}

/// `buffer:set(string)`: the bytes become those of a string.
fn set(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = check_text(ctx, 0)?;
    let s = ctx.check_str(1)?;
    let mut bytes = ctx.buffer();
    bytes.push(ctx, s.as_bytes())?;
    *text = Text { bytes, taken: 0 };
    let own = ctx.arg(0);
    ctx.ret(own)
}

/// `buffer:get([n ...])`: takes so many bytes for each argument, all that are left for none or nil.
fn get(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = check_text(ctx, 0)?;
    let counts = ctx.nargs().max(2) - 1;
    ctx.reserve(counts)?;
    let from = ctx.top();
    for i in 1..=counts {
        let n = match ctx.is_none_or_nil(i) {
            true => usize::MAX,
            false => usize::try_from(ctx.check_int(i)?).unwrap_or(0),
        };
        let rest = text.rest();
        let n = n.min(rest.len());
        ctx.charge(n / 16);
        ctx.push_str(&rest[..n])?;
        text.take(ctx, n)?;
    }
    ctx.ret_from(from)
}

/// `buffer:skip(n)`
fn skip(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = check_text(ctx, 0)?;
    let n = usize::try_from(ctx.check_int(1)?).unwrap_or(0);
    text.take(ctx, n)?;
    let own = ctx.arg(0);
    ctx.ret(own)
}

/// `buffer:reset()`, `buffer:free()`
fn reset(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = check_text(ctx, 0)?;
    *text = Text {
        bytes: ctx.buffer(),
        taken: 0,
    };
    let own = ctx.arg(0);
    ctx.ret(own)
}

fn tostring(ctx: &mut Ctx<'_>) -> NativeResult {
    let text = check_text(ctx, 0)?;
    ctx.charge(text.rest().len() / 16);
    ctx.ret_str(text.rest())
}

fn len(ctx: &mut Ctx<'_>) -> NativeResult {
    let n = check_text(ctx, 0)?.rest().len();
    ctx.ret(Val::int(n as i64))
}

/// A buffer and a string, number or buffer: a string.
fn concat(ctx: &mut Ctx<'_>) -> NativeResult {
    let mut whole = ctx.buffer();
    for i in 0..2 {
        if let Some(text) = as_text(ctx, ctx.arg(i)) {
            ctx.charge(text.rest().len() / 16);
            whole.push(ctx, text.rest())?;
        } else {
            let s = ctx.check_str(i)?;
            ctx.charge(s.len() / 16);
            whole.push(ctx, s.as_bytes())?;
        }
    }
    let s = whole.finish(ctx)?;
    ctx.ret(Val::str(s))
}
