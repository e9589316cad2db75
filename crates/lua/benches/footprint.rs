//! What things take: bytes of a parked coroutine, small objects and an idle VM, against `lua5.4` and `luajit`.
//!
//! `cargo bench -p rille-lua --bench footprint` prints a table in Markdown. Bytes of one object are differences of
//! `collectgarbage("count")` over many, in this VM and in the others (a dash where one is not installed or cannot make the object);
//! for this VM that is what is charged to its memory limit. The resident set is that of a process that has opened the library
//! and does nothing; this program starts itself for its own.

use rille_lua::{Lua, LuaOptions, Profile, Result, UserData};
use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

/// Objects made for each figure.
const COUNT: usize = 10_000;
/// The implementations beside this one.
const PEERS: [&str; 2] = ["lua5.4", "luajit"];
/// The argument with which this program is an idle process with a VM.
const IDLE: &str = "--idle";

/// What a Lua program makes `n` of in `t`: a name, and the statement. `f` is a function that yields.
const OBJECTS: &[(&str, &str)] = &[
    ("coroutine, not resumed", "t[i] = coroutine.create(f)"),
    (
        "coroutine, parked in a yield",
        "local co = coroutine.create(f) coroutine.resume(co) t[i] = co",
    ),
    (
        "coroutine, parked, has called natives",
        "local co = coroutine.create(g) coroutine.resume(co) t[i] = co",
    ),
    ("empty table", "t[i] = {}"),
    ("table {x=, y=}", "t[i] = {x = i, y = i}"),
    ("table {i, i}", "t[i] = {i, i}"),
    ("closure of one variable", "t[i] = function() return i end"),
    (
        "closure of one variable that changes",
        "local n = i t[i] = function() n = n + 1 return n end",
    ),
    ("string of 8 to 12 bytes", "t[i] = 'string' .. i"),
    (
        "string of 20 bytes",
        "t[i] = string.format('a string of %09d', i)",
    ),
    ("userdata without data", "t[i] = userdata()"),
];

/// An object of the host's with nothing in it, as `newproxy` makes them.
struct Nothing;

impl UserData for Nothing {}

fn program(make: &str) -> String {
    format!(
        "local function f() coroutine.yield() end
         local function g() local s = string.format('%d', 1) coroutine.yield(s) end
         local userdata = userdata or newproxy
         local t = {{}} for i = 1, {COUNT} do t[i] = false end
         collectgarbage() collectgarbage()
         local before = collectgarbage('count')
         for i = 1, {COUNT} do {make} end
         collectgarbage() collectgarbage()
         return (collectgarbage('count') - before) * 1024 / {COUNT}"
    )
}

/// What another implementation returns for a chunk.
fn reference(peer: &str, source: &str) -> Option<f64> {
    let script = format!("print((function() {source} end)())");
    let out = Command::new(peer).args(["-e", &script]).output().ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

/// A row of the table: this VM's figure, then the peers'.
fn row(name: &str, ours: f64, theirs: [Option<f64>; PEERS.len()]) {
    let theirs: Vec<String> = theirs
        .iter()
        .map(|b| b.map_or("-".to_owned(), |b| format!("{b:.0}")))
        .collect();
    println!("| {name} | {ours:.0} | {} |", theirs.join(" | "));
}

/// What the kernel's page for a process says of its resident set: all of it, and what is not pages of files.
const RESIDENT: [(&str, &str); 2] = [
    ("process with an idle VM, resident, KiB", "VmRSS"),
    ("the same without pages of files, KiB", "RssAnon"),
];

/// A line of that page, in KiB.
fn resident_kib(status: &str, line: &str) -> Option<f64> {
    let line = status.lines().find_map(|l| l.strip_prefix(line))?;
    let number = line.strip_prefix(':')?.split_whitespace().next()?;
    number.parse().ok()
}

fn sandbox() -> Result<Lua> {
    Lua::with_options(LuaOptions {
        profile: Profile::Sandbox,
        ..LuaOptions::default()
    })
}

/// Makes a VM and says what the process takes.
fn idle() -> Result<()> {
    let vm = sandbox()?;
    print!(
        "{}",
        std::fs::read_to_string("/proc/self/status").unwrap_or_default()
    );
    black_box(vm);
    Ok(())
}

/// The kernel's page for a process of this program that has one VM.
fn own_status() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    let out = Command::new(program).arg(IDLE).output().ok()?;
    String::from_utf8(out.stdout).ok()
}

fn main() -> Result<()> {
    if std::env::args().any(|a| a == IDLE) {
        return idle();
    }
    println!("| bytes of one | rille | {} |", PEERS.join(" | "));
    println!("|---|---|{}", "---|".repeat(PEERS.len()));
    for (name, make) in OBJECTS {
        let lua = Lua::new();
        let userdata = lua.create_function(|lua, ()| lua.create_userdata(Nothing))?;
        lua.globals().set("userdata", userdata)?;
        let ours: f64 = lua.load(program(make)).eval()?;
        row(
            name,
            ours,
            PEERS.map(|peer| reference(peer, &program(make))),
        );
    }
    let vm = sandbox()?;
    let count = "return collectgarbage('count') * 1024";
    row(
        "VM with its library",
        vm.used_memory() as f64,
        PEERS.map(|peer| reference(peer, count)),
    );
    let status = own_status().unwrap_or_default();
    for (name, line) in RESIDENT {
        let chunk = format!(
            "local f = io.open('/proc/self/status') local text = f:read('*a') f:close()
             return (tonumber(text:match('{line}:%s*(%d+)')))"
        );
        row(
            name,
            resident_kib(&status, line).unwrap_or(0.0),
            PEERS.map(|peer| reference(peer, &chunk)),
        );
    }

    const VMS: u32 = 500;
    let start = Instant::now();
    for _ in 0..VMS {
        black_box(sandbox()?);
    }
    let made_us = start.elapsed().as_secs_f64() * 1e6 / f64::from(VMS);
    println!("\nA VM made and dropped: {made_us:.1} us.");
    Ok(())
}
