//! What things take: bytes of a parked coroutine, an idle VM and small objects, and the time to make a VM.
//!
//! `cargo bench -p rille-lua --bench footprint` prints a table, with the figures of `lua5.4` (if it is installed) beside it:
//! there the bytes are differences of `collectgarbage("count")`.

use rille_lua::{Lua, LuaOptions, Profile, Result};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

/// Objects made for each figure.
const COUNT: usize = 10_000;

/// A Lua program that makes `n` objects in `t`, for both implementations.
const OBJECTS: &[(&str, &str)] = &[
    ("coroutine, not resumed", "t[i] = coroutine.create(f)"),
    (
        "coroutine, parked in a yield",
        "local co = coroutine.create(f) coroutine.resume(co) t[i] = co",
    ),
    ("empty table", "t[i] = {}"),
    ("table {x=, y=}", "t[i] = {x = i, y = i}"),
    ("table {i, i}", "t[i] = {i, i}"),
    ("closure of one variable", "t[i] = function() return i end"),
    ("string of 8 to 12 bytes", "t[i] = 'string' .. i"),
];

fn program(make: &str) -> String {
    format!(
        "local function f() coroutine.yield() end
         local t = {{}} for i = 1, {COUNT} do t[i] = false end
         collectgarbage() collectgarbage()
         local before = collectgarbage('count')
         for i = 1, {COUNT} do {make} end
         collectgarbage() collectgarbage()
         return (collectgarbage('count') - before) * 1024 / {COUNT}"
    )
}

fn reference(source: &str) -> Option<f64> {
    let script = format!("print((function() {source} end)())");
    let out = Command::new("lua5.4").args(["-e", &script]).output().ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

fn main() -> Result<()> {
    println!("{:<32} {:>10} {:>10}", "bytes of one", "rille", "lua5.4");
    for (name, make) in OBJECTS {
        let lua = Lua::new();
        let ours: f64 = lua.load(program(make)).eval()?;
        let theirs = reference(&program(make)).map_or("-".to_owned(), |b| format!("{b:.0}"));
        println!("{name:<32} {ours:>10.0} {theirs:>10}");
    }

    let sandbox = || {
        Lua::with_options(LuaOptions {
            profile: Profile::Sandbox,
            ..LuaOptions::default()
        })
    };
    let vm = sandbox()?;
    let theirs = reference("return collectgarbage('count') * 1024")
        .map_or("-".to_owned(), |b| format!("{b:.0}"));
    println!(
        "{:<32} {:>10} {theirs:>10}",
        "VM with its library, charged",
        vm.used_memory()
    );

    const VMS: u32 = 500;
    let start = Instant::now();
    for _ in 0..VMS {
        black_box(sandbox()?);
    }
    let ours_us = start.elapsed().as_secs_f64() * 1e6 / f64::from(VMS);
    // A process that opens the library and ends, less one that does not start Lua: the nearest a script can measure.
    println!(
        "{:<32} {ours_us:>10.1} {:>10}",
        "VM made and dropped, us", "-"
    );
    Ok(())
}
