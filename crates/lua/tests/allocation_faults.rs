//! Programs for which every single allocation is refused in turn: each run ends with the ordinary error "not enough memory",
//! or goes on because the script caught it; the heap is sound, and the VM goes on.
//!
//! Two kinds of refusal: by the VM, as at its limit, and by the system, through an allocator that gives out nothing. The
//! system's are tried for requests of [`LARGE`] bytes and more (see ARCHITECTURE.md, *Known gaps*, for the others).

mod fault_programs;

use fault_programs::PROGRAMS;
use rille_lua::{Error, Lua, LuaOptions, Value};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The smallest request that the system refuses here, in bytes.
const LARGE: usize = 1024;

/// The system's allocator, but for one request.
struct Refusing;

thread_local! {
    /// Large requests of this thread until the one that is refused; 0: none is.
    static REFUSED_IN: Cell<u64> = const { Cell::new(0) };
}

fn is_refused(size: usize) -> bool {
    size >= LARGE
        && REFUSED_IN.with(|left| match left.get() {
            0 => false,
            n => {
                left.set(n - 1);
                n == 1
            }
        })
}

// SAFETY: everything but null comes from the system's allocator, with the caller's own arguments.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > layout.size() && is_refused(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

fn sound(lua: &Lua, what: &str) {
    let problems = lua.check_heap().expect("nothing runs");
    assert!(problems.is_empty(), "{what}: {problems:#?}");
}

fn result(lua: &Lua) -> String {
    let result: Value = lua.globals().get("result").expect("a global");
    lua.globals().set("result", Value::Nil).expect("a global");
    result.to_string().expect("a text")
}

/// The one error that a refusal may end a run with.
fn is_memory_error(e: &Error) -> bool {
    matches!(e.root(), Error::MemoryError(_)) || e.message().contains("not enough memory")
}

#[test]
fn refused_by_the_vm_at_every_allocation() {
    let mut refusals = 0;
    for (name, code) in PROGRAMS {
        let lua = Lua::new();
        lua.load(*code)
            .set_name("=program")
            .exec()
            .expect("it runs");
        let expected = result(&lua);
        let f = lua
            .load(*code)
            .set_name("=program")
            .into_function()
            .expect("it compiles");
        for n in 1.. {
            let what = format!("{name}, allocation {n}");
            lua.fail_allocation(n);
            let outcome = f.call::<()>(());
            let pending = lua.fail_allocation(0) > 0;
            if let Err(e) = &outcome {
                assert!(!pending, "{what}: {e}");
                assert!(is_memory_error(e), "{what}: {e}");
            }
            sound(&lua, &what);
            if pending {
                assert_eq!(result(&lua), expected, "{what}");
                break;
            }
            refusals += 1;
        }
        lua.gc_collect().expect("nothing runs");
        lua.load(*code)
            .set_name("=program")
            .exec()
            .expect("it runs");
        assert_eq!(result(&lua), expected, "{name}: a fresh run");
        sound(&lua, name);
    }
    println!(
        "{} programs, {refusals} refusals by the VM, each with a check of the whole heap: no complaint",
        PROGRAMS.len()
    );
    assert!(refusals > 1000, "only {refusals}");
}

/// What makes the VM's own structures, and a script's, large.
const GROWING: &[(&str, &str)] = &[
    ("tables", "local t = {} for i = 1, 3000 do t[i] = i t['k' .. i] = {} end result = #t"),
    ("interned strings", "local t = {} for i = 1, 3000 do t[i] = 'name ' .. i end result = #t"),
    ("long strings", "local t = {} for i = 1, 40 do t[i] = ('x'):rep(3000 + i) .. i end
        local s = table.concat(t, ',') .. s_or_empty()
        result = #s + #s:upper() + #s:reverse() + #s:gsub('x', 'yy') + #string.format('%s%q', s, s) + #string.pack('s4', s)"),
    ("very long strings", "local s = ('x'):rep(100000) result = #(s .. s .. s) + #s:sub(2) + #(s:gsub('x', 'yyy', 70000)) + #table.concat({s, s, s})"),
    ("sorting", "local t = {} for i = 1, 6000 do t[i] = i * 7919 % 6007 end table.sort(t)
        for i = 1, 600 do t[i] = 's' .. i end table.sort(t, function(a, b) return tostring(a) < tostring(b) end) result = t[1]"),
    ("many arguments", "local t = {} for i = 1, 5000 do t[i] = 65 end
        result = #string.char(table.unpack(t)) + #utf8.char(table.unpack(t)) + select('#', string.byte(('x'):rep(5000), 1, -1)) + table.pack(table.unpack(t)).n"),
    ("deep stacks", "local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end result = f(3000)"),
    ("many coroutines", "local t = {} for i = 1, 300 do t[i] = coroutine.create(function(a) local b = a coroutine.yield(function() b = b + 1 return b end) end) coroutine.resume(t[i], i) end result = #t"),
    ("many variables to close", "local n = 0 local m = {__close = function() n = n + 1 end}
        local function f(k) if k == 0 then return end local x <close> = setmetatable({}, m) f(k - 1) end f(2000) result = n"),
    ("many finalizers", "local n = 0 local m = {__gc = function() n = n + 1 end} for i = 1, 1500 do setmetatable({}, m) end result = 'made'"),
    ("many captured variables", "local t = {} for i = 1, 1500 do local x = i t[i] = function() x = x + 1 return x end end result = t[1500]()"),
    ("constants", "local t = {} for i = 1, 1500 do t[i] = '\"constant ' .. i .. '\"' end result = #t"),
    ("dates", "result = #os.date(('!%c'):rep(400), 0)"),
];

const PRELUDE: &str = "function s_or_empty() return '' end";

#[test]
fn refused_by_the_system_at_every_large_allocation() {
    let mut refusals = 0;
    for (name, code) in GROWING {
        for n in 1.. {
            let what = format!("{name}, large allocation {n}");
            let lua = Lua::with_options(LuaOptions::default()).expect("a VM");
            lua.load(PRELUDE).exec().expect("it runs");
            // The collector's own lists are not under test: see the head of this file.
            lua.gc_stop();
            let f = lua
                .load(*code)
                .set_name("=program")
                .into_function()
                .expect("it compiles");
            REFUSED_IN.set(n);
            let outcome = f.call::<()>(());
            let pending = REFUSED_IN.replace(0) > 0;
            if let Err(e) = &outcome {
                assert!(!pending, "{what}: {e}");
                assert!(is_memory_error(e), "{what}: {e}");
            }
            sound(&lua, &what);
            lua.gc_restart();
            lua.gc_collect().expect("nothing runs");
            sound(&lua, &what);
            lua.load(*code)
                .set_name("=program")
                .exec()
                .expect("it runs");
            if pending {
                break;
            }
            refusals += 1;
        }
    }
    println!(
        "{} programs, {refusals} refusals by the system, each with a check of the whole heap: no complaint",
        GROWING.len()
    );
    assert!(refusals > 100, "only {refusals}");
}
