//! What a host pays: calls between Rust and Lua, fields and methods of userdata, tables, coroutines, a new VM.
//!
//! `cargo bench -p rille-lua --bench embedding` prints two tables in Markdown. Times are processor time of the thread, the
//! fastest of several rounds; where Lua does the calling, its loop is in them.

mod clock;

use clock::thread_ns;
use rille_lua::{
    Function, Lua, LuaOptions, MetaMethod, Profile, Result, Table, Thread, UserData,
    UserDataFields, UserDataMethods,
};
use std::hint::black_box;

/// Operations of a round.
const OPERATIONS: u64 = 50_000;
/// The fastest counts.
const ROUNDS: usize = 9;
/// VMs that live side by side.
const VMS: usize = 1000;
/// What a sandboxed VM may take, in time and in memory.
const VM_GOAL_US: f64 = 60.0;
const VM_GOAL_BYTES: usize = 48 * 1024;

/// A host's object with a field, methods and a metamethod.
struct Point {
    x: i64,
}

impl UserData for Point {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("x", |_, this| Ok(this.x));
        fields.add_field_method_set("x", |_, this, x: i64| {
            this.x = x;
            Ok(())
        });
    }
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("sum", |_, this, y: i64| Ok(this.x.wrapping_add(y)));
        methods.add_method_mut("shift", |_, this, by: i64| {
            this.x = this.x.wrapping_add(by);
            Ok(())
        });
        methods.add_meta_method(MetaMethod::Add, |_, this, y: i64| {
            Ok(this.x.wrapping_add(y))
        });
    }
}

/// What Lua does in a loop: a name, and the statement.
const LOOPS: &[(&str, &str)] = &[
    ("an empty loop", ""),
    ("Lua calls a Lua function", "x = lua_add(i, 1)"),
    ("Lua calls a Rust function, no arguments", "rust_nothing()"),
    (
        "Lua calls a Rust function of two integers",
        "x = rust_add(i, 1)",
    ),
    (
        "Lua calls a Rust function of a string",
        "x = rust_length('a string')",
    ),
    (
        "Lua calls a Rust function that makes a string",
        "x = rust_string()",
    ),
    ("userdata field, read", "x = point.x"),
    ("userdata field, written", "point.x = i"),
    ("userdata method", "x = point:sum(i)"),
    ("userdata method that changes it", "point:shift(1)"),
    ("userdata metamethod (`+`)", "x = point + i"),
    ("Lua metamethod (`+`)", "x = object + i"),
    ("Lua metamethod (`__index`)", "x = object.missing"),
    ("pcall of a Lua function", "x = pcall(lua_add, i, 1)"),
    ("pcall of a Rust function", "x = pcall(rust_add, i, 1)"),
    ("pcall that catches an error", "x = pcall(error, 'no')"),
    ("coroutine: resume and yield", "x = resume(generator)"),
    (
        "coroutine: create, resume, yield, resume, end",
        "local co = create(once) resume(co) resume(co)",
    ),
];

/// The fastest round, in nanoseconds an operation.
fn fastest(mut round: impl FnMut(u64) -> Result<()>) -> Result<f64> {
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let start = thread_ns();
        round(OPERATIONS)?;
        best = best.min(thread_ns() - start);
    }
    Ok(best as f64 / OPERATIONS as f64)
}

/// Does something so many times, whatever comes of it.
fn each<T>(count: u64, f: impl Fn(i64) -> Result<T>) -> Result<()> {
    for i in 0..count as i64 {
        black_box(f(i)?);
    }
    Ok(())
}

fn row(name: &str, nanoseconds: f64) {
    println!("| {name} | {nanoseconds:.0} |");
}

/// The names that the loops use.
fn prepare(lua: &Lua) -> Result<()> {
    let globals = lua.globals();
    globals.set("rust_nothing", lua.create_function(|_, ()| Ok(()))?)?;
    globals.set(
        "rust_add",
        lua.create_function(|_, (a, b): (i64, i64)| Ok(a.wrapping_add(b)))?,
    )?;
    globals.set(
        "rust_length",
        lua.create_function(|_, s: rille_lua::LuaString| Ok(s.as_bytes().len()))?,
    )?;
    globals.set("rust_string", lua.create_function(|_, ()| Ok("a string"))?)?;
    globals.set("point", lua.create_userdata(Point { x: 1 })?)?;
    lua.load(
        "function lua_add(a, b) return a + b end
         object = setmetatable({}, { __add = function(_, b) return b end, __index = function() return 1 end })
         generator = coroutine.create(function() while true do coroutine.yield(1) end end)
         function once() coroutine.yield(1) end",
    )
    .exec()
}

fn calls(lua: &Lua) -> Result<()> {
    for (name, statement) in LOOPS {
        let source = format!(
            "local lua_add, rust_nothing, rust_add, rust_length, rust_string = lua_add, rust_nothing, rust_add, rust_length, rust_string
             local point, object, generator, once, pcall, error = point, object, generator, once, pcall, error
             local create, resume = coroutine.create, coroutine.resume
             local n = ...
             local x
             for i = 1, n do {statement} end"
        );
        let run: Function = lua.load(source).into_function()?;
        row(name, fastest(|n| run.call(n))?);
    }

    let nothing: Function = lua.load("return").into_function()?;
    let add: Function = lua.globals().get("lua_add")?;
    let rust_add: Function = lua.globals().get("rust_add")?;
    let length: Function = lua.load("return #...").into_function()?;
    row(
        "Rust calls a Lua function, no arguments",
        fastest(|n| each(n, |_| nothing.call::<()>(())))?,
    );
    row(
        "Rust calls a Lua function of two integers",
        fastest(|n| each(n, |i| add.call::<i64>((i, 1))))?,
    );
    row(
        "Rust calls a Lua function of a string",
        fastest(|n| each(n, |_| length.call::<i64>("a string")))?,
    );
    row(
        "Rust calls a Rust function through the VM",
        fastest(|n| each(n, |i| rust_add.call::<i64>((i, 1))))?,
    );

    row(
        "Rust makes a table",
        fastest(|n| each(n, |_| lua.create_table()))?,
    );
    row(
        "Rust makes a table and sets three fields",
        fastest(|n| {
            each(n, |i| {
                let table = lua.create_table()?;
                table.set("a", i)?;
                table.set("b", i)?;
                table.set("c", "text")
            })
        })?,
    );
    let table: Table = lua.load("return { a = 1, b = 2, 10, 20 }").eval()?;
    row(
        "Rust gets a field by name",
        fastest(|n| each(n, |_| table.get::<i64>("a")))?,
    );
    row(
        "Rust sets a field by name",
        fastest(|n| each(n, |i| table.set("a", i)))?,
    );
    row(
        "Rust gets an element by number",
        fastest(|n| each(n, |_| table.get::<i64>(2)))?,
    );
    row(
        "Rust makes a string of 8 bytes",
        fastest(|n| each(n, |_| lua.create_string("a string")))?,
    );
    row(
        "Rust makes a userdata",
        fastest(|n| each(n, |x| lua.create_userdata(Point { x })))?,
    );
    let generator: Thread = lua.globals().get("generator")?;
    row(
        "Rust resumes a coroutine that yields",
        fastest(|n| each(n, |_| generator.resume::<i64>(())))?,
    );
    let once: Function = lua.globals().get("once")?;
    row(
        "Rust makes a coroutine and resumes it to its end",
        fastest(|n| {
            each(n, |_| {
                let thread = lua.create_thread(once.clone())?;
                thread.resume::<i64>(())?;
                thread.resume::<()>(())
            })
        })?,
    );
    Ok(())
}

fn sandboxed() -> Result<Lua> {
    Lua::with_options(LuaOptions {
        profile: Profile::Sandbox,
        ..LuaOptions::default()
    })
}

/// The resident set of this process, in bytes.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next())
        .and_then(|word| word.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

/// A VM's price, measured before anything else has left free memory behind.
fn vms() -> Result<[String; 4]> {
    // The first one initialises what all share.
    let charged = sandboxed()?.used_memory();
    let before = resident_bytes();
    let mut alive = Vec::with_capacity(VMS);
    let start = thread_ns();
    for _ in 0..VMS {
        alive.push(sandboxed()?);
    }
    let made_us = (thread_ns() - start) as f64 / 1e3 / VMS as f64;
    let resident = resident_bytes().saturating_sub(before) / VMS;
    drop(alive);
    let mut best_us = f64::MAX;
    for _ in 0..ROUNDS {
        let start = thread_ns();
        for _ in 0..100 {
            black_box(sandboxed()?);
        }
        best_us = best_us.min((thread_ns() - start) as f64 / 1e3 / 100.0);
    }
    let goal_kib = VM_GOAL_BYTES / 1024;
    Ok([
        format!("| made, {VMS} of them alive | {made_us:.1} us | {VM_GOAL_US:.0} us |"),
        format!("| made and dropped, memory warm | {best_us:.1} us | |"),
        format!("| charged to its memory limit | {charged} bytes | {goal_kib} KiB |"),
        format!("| growth of the process's resident set | {resident} bytes | {goal_kib} KiB |"),
    ])
}

fn main() -> Result<()> {
    let rows = vms()?;
    println!("| a VM with the sandbox library | | goal |\n|---|---|---|");
    for row in rows {
        println!("{row}");
    }
    println!("\n| between Rust and Lua | ns |\n|---|---|");
    let lua = Lua::new();
    prepare(&lua)?;
    calls(&lua)
}
