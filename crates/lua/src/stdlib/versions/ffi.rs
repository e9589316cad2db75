//! A `ffi` module that loads and refuses: there are no C data and no C functions here.
//!
//! Libraries written for LuaJIT use it in three ways. Those that only declare (`ffi.cdef`), make type objects (`ffi.typeof`,
//! `ffi.metatype`), keep `ffi.C` or ask `ffi.os` and `ffi.abi` when they are loaded, go on working: all that is
//! accepted. Those that try (`pcall(ffi.new, ...)`, `pcall(ffi.load, ...)`, `pcall(function() return ffi.C.f end)`)
//! get an error that says so, and take their other way. The rest fail with that error where they use C.
//!
//! **Invariant:** nothing here keeps or interprets what it is given; a declaration is not even parsed.

use super::jit::{ARCH, OS, set_text};
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Ctx, NativeResult, Thrown};
use crate::stdlib::package;
use crate::table::Table;
use crate::value::Val;
use crate::vm::Vm;

const fn def(name: &'static str, run: fn(&mut Ctx<'_>) -> NativeResult) -> NativeDef {
    NativeDef::new(name, run, Cost::Constant)
}

static LOAD_FFI: NativeDef = def("ffi", load_module);
static ABI: NativeDef = def("abi", abi);
static CDEF: NativeDef = def("cdef", cdef);
static ISTYPE: NativeDef = def("istype", istype);
static METATYPE: NativeDef = def("metatype", typeof_);
static TYPEOF: NativeDef = def("typeof", typeof_);
static REFUSED: [NativeDef; 12] = [
    def("addressof", |ctx| refuse(ctx, "addressof")),
    def("alignof", |ctx| refuse(ctx, "alignof")),
    def("cast", |ctx| refuse(ctx, "cast")),
    def("copy", |ctx| refuse(ctx, "copy")),
    def("errno", |ctx| refuse(ctx, "errno")),
    def("fill", |ctx| refuse(ctx, "fill")),
    def("gc", |ctx| refuse(ctx, "gc")),
    def("load", |ctx| refuse(ctx, "load")),
    def("new", |ctx| refuse(ctx, "new")),
    def("offsetof", |ctx| refuse(ctx, "offsetof")),
    def("sizeof", |ctx| refuse(ctx, "sizeof")),
    def("string", |ctx| refuse(ctx, "string")),
];
/// Metamethods of `ffi.C`.
static SYMBOL: NativeDef = def("__index", symbol);
static SYMBOL_STORE: NativeDef = def("__newindex", symbol);
/// Metamethods of a type object.
static TYPE_CALL: NativeDef = def("__call", |ctx| refuse(ctx, "new"));
static TYPE_TEXT: NativeDef = def("__tostring", type_text);

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let preload = package::preload(vm)?;
    vm.register(preload, &[&LOAD_FFI])
}

#[cold]
fn refuse(ctx: &mut Ctx<'_>, what: &str) -> NativeResult {
    Err(ctx.error(&format!(
        "'ffi.{what}' is not available: this Lua has no C data and no C functions"
    )))
}

/// `require "ffi"`
fn load_module(ctx: &mut Ctx<'_>) -> NativeResult {
    let ffi = ctx.new_table(0, 24)?;
    ctx.push(Val::table(ffi));
    ctx.vm
        .register(ffi, &[&ABI, &CDEF, &ISTYPE, &METATYPE, &TYPEOF])?;
    for def in &REFUSED {
        ctx.vm.register(ffi, &[def])?;
    }
    set_text(ctx.vm, ffi, "os", OS)?;
    set_text(ctx.vm, ffi, "arch", ARCH)?;
    let library = with_metatable(ctx, &[&SYMBOL, &SYMBOL_STORE])?;
    ctx.set_field(ffi, "C", Val::table(library))?;
    ctx.ret(Val::table(ffi))
}

/// Pushes an empty table whose metatable has these methods and is closed to scripts.
fn with_metatable(ctx: &mut Ctx<'_>, methods: &[&'static NativeDef]) -> Result<Gc<Table>, Thrown> {
    let t = ctx.new_table(0, 0)?;
    ctx.push(Val::table(t));
    let meta = ctx.new_table(0, 4)?;
    ctx.push(Val::table(meta));
    ctx.vm.register(meta, methods)?;
    set_text(ctx.vm, meta, "__metatable", "ffi")?;
    ctx.vm.set_metatable(Val::table(t), Some(meta))?;
    Ok(t)
}

fn cdef(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_str(0)?;
    ctx.ret0()
}

/// `ffi.abi(parameter)`
fn abi(ctx: &mut Ctx<'_>) -> NativeResult {
    let name = ctx.check_str(0)?.as_bytes();
    let width: &[u8] = match size_of::<usize>() {
        8 => b"64bit",
        _ => b"32bit",
    };
    let order: &[u8] = match cfg!(target_endian = "little") {
        true => b"le",
        false => b"be",
    };
    let known = [width, order, b"fpu", b"hardfp"];
    ctx.ret(Val::bool(known.contains(&name)))
}

/// Nothing is C data.
fn istype(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.ret(Val::FALSE)
}

/// `ffi.typeof(declaration)`, `ffi.metatype(type, metatable)`: an object that stands for a type and makes nothing.
fn typeof_(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.check_any(0)?;
    let object = with_metatable(ctx, &[&TYPE_CALL, &TYPE_TEXT])?;
    ctx.ret(Val::table(object))
}

fn type_text(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.ret_str(b"ctype<?>")
}

fn symbol(ctx: &mut Ctx<'_>) -> NativeResult {
    let key = ctx.arg(1);
    let name = ctx.to_str(key)?;
    let mut message = b"missing declaration for symbol '".to_vec();
    message.extend_from_slice(name.as_ref().map_or(&b"?"[..], |s| s.as_bytes()));
    message.extend_from_slice(b"': this Lua has no C data and no C functions");
    Err(ctx.error_bytes(&message))
}
