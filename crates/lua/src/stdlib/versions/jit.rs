//! LuaJIT's `jit` table, so that scripts that look for it find what they can use: names, numbers, and switches that do nothing.
//!
//! **Invariant:** `jit.status()` is false: no script is told that anything is compiled.

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

static ATTACH: NativeDef = def("attach", nothing);
static FLUSH: NativeDef = def("flush", nothing);
static OFF: NativeDef = def("off", nothing);
static ON: NativeDef = def("on", nothing);
static START: NativeDef = def("start", nothing);
static STATUS: NativeDef = def("status", status);

/// The version whose library functions there are.
const VERSION: &str = "LuaJIT 2.1.0";
const VERSION_NUM: i64 = 20_100;

/// LuaJIT's name for the operating system.
pub(super) const OS: &str = match std::env::consts::OS.as_bytes() {
    b"linux" => "Linux",
    b"macos" => "OSX",
    b"windows" => "Windows",
    b"freebsd" | b"openbsd" | b"netbsd" | b"dragonfly" => "BSD",
    _ => "POSIX",
};
/// LuaJIT's name for the processor.
pub(super) const ARCH: &str = match std::env::consts::ARCH.as_bytes() {
    b"x86_64" => "x64",
    b"aarch64" => "arm64",
    b"x86" => "x86",
    _ => std::env::consts::ARCH,
};

fn nothing(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.ret0()
}

fn status(ctx: &mut Ctx<'_>) -> NativeResult {
    ctx.ret(Val::FALSE)
}

pub(super) fn open(vm: &mut Vm) -> Result<(), Thrown> {
    let natives = [&ATTACH, &FLUSH, &OFF, &ON, &STATUS];
    let jit = crate::stdlib::open_library(vm, "jit", &natives, 5)?;
    for (name, text) in [("version", VERSION), ("os", OS), ("arch", ARCH)] {
        set_text(vm, jit, name, text)?;
    }
    vm.set_field(jit, "version_num", Val::int(VERSION_NUM))?;
    let opt = vm.new_table()?;
    vm.scratch.push(Val::table(opt));
    let done = vm.register(opt, &[&START]).and_then(|()| {
        vm.set_field(jit, "opt", Val::table(opt))?;
        let loaded = package::loaded(vm)?;
        vm.set_field(loaded, "jit.opt", Val::table(opt))
    });
    vm.scratch.pop();
    done
}

/// `t[name] = text`
pub(super) fn set_text(vm: &mut Vm, t: Gc<Table>, name: &str, text: &str) -> Result<(), Thrown> {
    let text = Val::str(vm.new_str(text.as_bytes())?);
    vm.scratch.push(text);
    let done = vm.set_field(t, name, text);
    vm.scratch.pop();
    done
}
