//! How long a script waits for the VM: the steps of the collector over a large heap, and inserts into a growing table.
//!
//! `cargo bench -p rille-lua --bench pauses` prints two tables in Markdown. Times are processor time of the thread, of each
//! step or insert alone. A step does as much as the collector's own steps do, and between two of them the script makes as much
//! garbage as there is between those.

mod clock;

use clock::thread_ns;
use rille_lua::{Function, Lua, Result, Table};

/// The work of one step as `gc_step` takes it: 64 units a KiB, and the collector's own steps have 16 * 1024 units.
const STEP_KIB: usize = 256;
/// Collections that are measured.
const CYCLES: usize = 8;
/// Keys of the table that grows.
const KEYS: usize = 1 << 20;

/// About 100 MB that stay: an array of a million slots, records, strings, closures, and a hash of many keys.
const LIVE: &str = "
    live = { array = {}, records = {}, names = {}, actions = {} }
    for i = 1, 1000000 do live.array[i] = i % 10 == 0 and {i} or i end
    for i = 1, 350000 do live.records[i] = { id = i, name = 'record' .. i, next = live.records[i - 1] } end
    for i = 1, 150000 do live.names['name' .. i] = i end
    for i = 1, 100000 do live.actions[i] = function() return i end end
";
/// Garbage of about 64 KiB, and stores into what is live.
const WORK: &str = "
    local at = 0
    return function()
        for i = 1, 300 do
            at = at % 200000 + 1
            local record = { id = i, name = 'new' .. i }
            live.records[at].next = record
            live.array[at * 5] = record
        end
    end
";

/// A share of the sorted times, in microseconds.
fn share(sorted: &[u64], of: f64) -> f64 {
    let at = ((sorted.len() as f64 * of).ceil() as usize).clamp(1, sorted.len());
    sorted[at - 1] as f64 / 1e3
}

fn steps() -> Result<()> {
    let lua = Lua::new();
    lua.load(LIVE).exec()?;
    lua.gc_collect()?;
    let live = lua.used_memory() as f64 / 1e6;
    let work: Function = lua.load(WORK).eval()?;
    // The steps are made here, one by one.
    lua.gc_stop();
    let mut times = Vec::new();
    let mut cycles = 0;
    while cycles < CYCLES {
        work.call::<()>(())?;
        let start = thread_ns();
        cycles += usize::from(lua.gc_step(STEP_KIB)?);
        times.push(thread_ns() - start);
    }
    times.sort_unstable();
    println!("| collection steps, {live:.0} MB live | us |\n|---|---|");
    println!("| steps of {CYCLES} collections | {} |", times.len());
    for (name, of) in [
        ("p50", 0.5),
        ("p99", 0.99),
        ("p99.9", 0.999),
        ("longest", 1.0),
    ] {
        println!("| {name} | {:.1} |", share(&times, of));
    }
    println!("\n| steps that took | |\n|---|---|");
    let mut from = 0u64;
    for to in (3..).map(|power| 1u64 << power) {
        let count = |us: u64| times.partition_point(|ns| *ns < us * 1000);
        let between = count(to) - count(from);
        if between > 0 {
            println!("| {from} to {to} us | {between} |");
        }
        if count(to) == times.len() {
            break;
        }
        from = to;
    }
    Ok(())
}

/// The slowest inserts of a table that grows, each alone: microseconds, and how many entries the table had.
fn inserts(lua: &Lua, insert: impl Fn(&Table, usize) -> Result<u64>) -> Result<String> {
    let table = lua.create_table()?;
    let mut times = Vec::with_capacity(KEYS);
    for i in 0..KEYS {
        times.push((insert(&table, i)?, i));
    }
    times.sort_unstable();
    let sorted: Vec<u64> = times.iter().map(|(ns, _)| *ns).collect();
    let (slowest, at) = times[KEYS - 1];
    Ok(format!(
        "{:.2} | {:.2} | {:.2} | {:.0} (entry {})",
        share(&sorted, 0.5),
        share(&sorted, 0.999),
        share(&sorted, 0.99999),
        slowest as f64 / 1e3,
        at + 1
    ))
}

fn growth() -> Result<()> {
    let lua = Lua::new();
    lua.gc_stop();
    let strings = inserts(&lua, |table, i| {
        let key = lua.create_string(format!("key{i}"))?;
        let start = thread_ns();
        table.raw_set(&key, 1)?;
        Ok(thread_ns() - start)
    })?;
    let integers = inserts(&lua, |table, i| {
        let start = thread_ns();
        table.raw_set(i + 1, 1)?;
        Ok(thread_ns() - start)
    })?;
    println!(
        "\n| inserts while a table grows to 2^20, us | p50 | p99.9 | p99.999 | slowest |\n|---|---|---|---|---|"
    );
    println!("| string keys | {strings} |");
    println!("| an array | {integers} |");
    Ok(())
}

fn main() -> Result<()> {
    steps()?;
    growth()
}
