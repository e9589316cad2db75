//! The core by itself: source text straight into the loop.

use super::Vm;
use super::entry::{Entry, Exit};
use crate::compiler::dump::{dump, undump};
use crate::compiler::{Options, Unmetered, compile};
use crate::function::LuaClosure;
use crate::heap::Gc;
use crate::host::StdHost;
use crate::op::{Instr, Op};
use crate::thread::{Thread, ThreadState};
use crate::value::Val;
use std::rc::Rc;
use std::sync::Arc;

/// A fresh VM with the libraries, and the source's main function (kept alive by `scratch`).
pub(crate) fn load(source: &str) -> (Box<Vm>, Gc<LuaClosure>) {
    let chunk = compile(
        source.as_bytes(),
        b"=t",
        &Options::default(),
        &mut Unmetered,
    )
    .expect("compiles");
    let mut vm = Vm::new(
        Rc::new(StdHost::default()),
        usize::MAX / 2,
        false,
        Default::default(),
    )
    .expect("memory");
    crate::stdlib::open_all(&mut vm, false).expect("memory");
    vm.heap.set_fuel(i64::MAX / 4);
    let closure = vm.load_chunk(&chunk).expect("memory");
    vm.scratch.push(Val::lua_closure(closure));
    (vm, closure)
}

/// Runs a source text in a fresh VM; the VM and what it returned, or the error message.
pub(crate) fn run(source: &str, stress: bool) -> (Box<Vm>, Result<Vec<Val>, String>) {
    let (mut vm, closure) = load(source);
    vm.heap.stress = stress;
    vm.heap.update_trigger();
    let result = call(&mut vm, closure);
    (vm, result)
}

/// Calls a function from the host: what it returned, or the error message.
pub(crate) fn call(vm: &mut Vm, closure: Gc<LuaClosure>) -> Result<Vec<Val>, String> {
    let t = vm.thread_mut();
    let top = t.top;
    t.set(top as usize, Val::lua_closure(closure));
    t.top = top + 1;
    match vm.enter_call(0).expect("enters") {
        Exit::Done(from) => Ok((from..vm.thread().top as usize)
            .map(|i| vm.thread().get(i))
            .collect()),
        Exit::Failed => Err(format!("{:?}", vm.thrown)),
        other => Err(format!("{other:?}")),
    }
}

/// A coroutine over the main function.
pub(crate) fn coroutine(vm: &mut Vm, closure: Gc<LuaClosure>) -> Gc<Thread> {
    let mut co = vm.new_thread().expect("memory");
    vm.scratch.push(Val::thread(co));
    co.set(1, Val::lua_closure(closure));
    co.top = 2;
    co
}

/// Programs that go through as many kinds of frames and allocations as fit into a few thousand instructions.
const PROGRAMS: &[&str] = &[
    "local t = {} for i = 1, 20 do t[i] = {i} t['k' .. i] = function() return t[i][1] end end
     local s = 0 for k, v in pairs(t) do if type(v) == 'function' then s = s + v() end end return s",
    "local log = {}
     local function closer(n) return setmetatable({}, {__close = function() log[#log + 1] = n end}) end
     local ok, e = pcall(function() local a <close> = closer(1) local b <close> = closer(2) error({}) end)
     local co = coroutine.wrap(function() local c <close> = closer(3) coroutine.yield(1) error('x') end)
     co() pcall(co) return #log",
    "local mt = {__index = function(t, k) return k .. '!' end, __add = function(a, b) return 1 end,
       __concat = function(a, b) return 'c' end, __eq = function() return true end, __lt = function() return false end,
       __call = function(self, x) return x end, __newindex = function(t, k, v) rawset(t, k, v) end}
     local a, b = setmetatable({}, mt), setmetatable({}, mt)
     a.x = a.y return a + b, a .. b, a .. 'x' .. 'y', a == b, a < b, a(5), a.z",
    "local t = {} for i = 1, 40 do t[i] = (i * 7919) % 101 end
     table.sort(t, function(a, b) return a > b end)
     local s = ('hello world'):gsub('%w+', function(w) return w:upper() end)
     return t[1], s, table.concat(t, ','), select('#', table.unpack(t))",
    "local out = {} local ok = xpcall(function() local x = nil; return x.y end, function(m) return 'handled: ' .. m end)
     for i = 1, 10 do out[i] = coroutine.wrap(function(...) local n = select('#', ...) coroutine.yield(n) return n end) end
     local s = 0 for i = 1, 10 do s = s + out[i](i, i) + out[i]() end
     setmetatable({}, {__gc = function() s = s + 1 end}) collectgarbage() return s",
];

#[test]
fn killed_after_any_number_of_instructions_the_heap_is_sound() {
    for source in PROGRAMS {
        for fuel in 0.. {
            let (mut vm, closure) = load(source);
            let co = coroutine(&mut vm, closure);
            vm.heap.set_fuel(fuel);
            let exit = vm.enter_thread(co, 0, Entry::Values);
            let done = matches!(exit, Exit::Done(_));
            assert!(
                done || matches!(exit, Exit::Preempted),
                "{exit:?} {:?}\n{source}",
                vm.thrown
            );
            if !done {
                vm.terminate(co, 10_000);
                assert_eq!(co.state, ThreadState::Done);
            }
            assert_eq!(
                vm.check_heap(),
                Vec::<String>::new(),
                "fuel {fuel}\n{source}"
            );
            vm.heap.set_fuel(i64::MAX / 4);
            vm.collect_everything();
            assert_eq!(
                vm.check_heap(),
                Vec::<String>::new(),
                "fuel {fuel}, collected\n{source}"
            );
            if done {
                break;
            }
        }
    }
}

#[test]
fn preempted_after_every_few_instructions_the_result_is_the_same() {
    for source in PROGRAMS {
        for slice in [1, 2, 3, 7, 50] {
            let (mut vm, closure) = load(source);
            let co = coroutine(&mut vm, closure);
            vm.heap.set_fuel(slice);
            let mut exit = vm.enter_thread(co, 0, Entry::Values);
            let mut slices = 1;
            while matches!(exit, Exit::Preempted) {
                vm.heap.set_fuel(slice);
                exit = vm.enter_thread(co, 0, Entry::Again);
                slices += 1;
            }
            assert!(
                matches!(exit, Exit::Done(_)),
                "{exit:?} {:?}\n{source}",
                vm.thrown
            );
            assert!(slices > 4 || slice > 3, "{slices}");
            let Exit::Done(from) = exit else {
                unreachable!()
            };
            let sliced: Vec<Val> = (from..co.top as usize).map(|i| co.get(i)).collect();
            let (_whole, expected) = run(source, false);
            assert_eq!(
                format!("{sliced:?}"),
                format!("{:?}", expected.expect("runs")),
                "{source}"
            );
        }
    }
}

#[test]
fn refused_any_allocation_the_heap_is_sound() {
    for source in PROGRAMS {
        for spare in (0..).step_by(64) {
            let (mut vm, closure) = load(source);
            let co = coroutine(&mut vm, closure);
            vm.heap.limit = vm.heap.used + spare;
            vm.heap.update_trigger();
            let exit = vm.enter_thread(co, 0, Entry::Values);
            let done = matches!(exit, Exit::Done(_));
            assert!(done || matches!(exit, Exit::Failed), "{exit:?}\n{source}");
            assert_eq!(
                vm.check_heap(),
                Vec::<String>::new(),
                "spare {spare}\n{source}"
            );
            assert!(vm.heap.used <= vm.heap.limit);
            if done {
                break;
            }
        }
    }
}

#[test]
fn every_collection_step_leaves_a_sound_heap() {
    let programs = [
        "local t = {} for i = 1, 200000 do t['key' .. i % 20000] = i end return 0",
        "local t = {} for i = 1, 60000 do t[i] = {i} if i > 3000 then t[i - 3000] = nil end end return 0",
        "local t = {} for i = 1, 30000 do t[#t + 1] = function() return i end end for i = 1, 30000 do t[i] = nil end return 0",
        "local function deep(n) local a = {n} if n > 0 then return deep(n - 1) + a[1] end return 0 end
         local s = 0 for i = 1, 20 do s = s + deep(3000) end return 0",
    ];
    for source in programs {
        let (mut vm, closure) = load(source);
        vm.heap.verify = true;
        let co = coroutine(&mut vm, closure);
        let exit = vm.enter_thread(co, 0, Entry::Values);
        assert!(matches!(exit, Exit::Done(_)), "{exit:?} {:?}", vm.thrown);
        assert!(vm.heap.gc.cycles > 0);
    }
}

fn check(source: &str, expected: &str) {
    for stress in [false, true] {
        let (vm, result) = run(source, stress);
        assert_eq!(
            format!("{result:?}"),
            expected,
            "stress: {stress}\n{source}"
        );
        assert_eq!(vm.check_heap(), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn arithmetic_and_calls() {
    check(
        "return 1 + 2, 7 // 2, 2^10, 10 / 2, 'a' .. 1 .. 2.5",
        "Ok([3, 3, 1024.0, 5.0, \"a12.5\"])",
    );
    check(
        "local function fib(n) if n < 2 then return n end return fib(n-1) + fib(n-2) end return fib(15)",
        "Ok([610])",
    );
    check(
        "local function f(...) local a, b = ... return b, a, ... end return f(1, 2, 3)",
        "Ok([2, 1, 1, 2, 3])",
    );
    check(
        "local t = {10, 20, 30, x = 1} t.y = 2 t[4] = 40 return #t, t[4], t.x + t.y",
        "Ok([4, 40, 3])",
    );
}

#[test]
fn captured_variables() {
    check(
        "local fs = {} for i = 1, 3 do local n = i fs[i] = function() n = n + 1 return n + i end end
         return fs[1](), fs[1](), fs[2](), fs[3]()",
        "Ok([3, 4, 5, 7])",
    );
    check(
        "local a = 0 local function inc() a = a + 1 end inc() inc() return a",
        "Ok([2])",
    );
}

#[test]
fn tables_grow_and_shrink() {
    check(
        "local t = {} for i = 1, 1000 do t[i] = i t['k' .. i] = i end
         local n = 0 for k, v in next, t do n = n + v end
         for i = 1, 1000 do t['k' .. i] = nil end
         local m = 0 for k in next, t do m = m + 1 end
         return n, m, #t",
        "Ok([1001000, 1000, 1000])",
    );
}

#[test]
fn errors_reach_the_host() {
    check(
        "local t = nil return t.x",
        "Err(\"\\\"t:1: attempt to index a nil value (local 't')\\\"\")",
    );
}

#[test]
fn code_that_no_compiler_writes_fails_as_an_error() {
    // The verifier vouches for registers, not for what is in them.
    let no_table = "Err(\"\\\"t:1: vararg table is not a table\\\"\")";
    for (op, expected) in [
        (Instr::abc(Op::UNPACKVARARG, 1, 0, 2), no_table),
        (Instr::abc(Op::UNPACKVARARG, 1, 1, 2), no_table),
        (Instr::abc(Op::GETVARG, 1, 0, 1), "Ok(\"[1]\")"),
    ] {
        let source = b"local a, b = 1 return a";
        let chunk = compile(source, b"=t", &Options::default(), &mut Unmetered);
        let mut main = Arc::into_inner(
            Arc::into_inner(chunk.expect("compiles"))
                .expect("one owner")
                .main,
        );
        let code = main.as_mut().expect("one owner");
        code.code[1] = op;
        let bytes = dump(main.as_ref().expect("one owner"), false);
        let chunk = undump(&bytes, b"=t", Default::default()).expect("the verifier accepts it");
        let (mut vm, _) = load("return 1");
        let closure = vm.load_chunk(&chunk).expect("memory");
        vm.scratch.push(Val::lua_closure(closure));
        let result = call(&mut vm, closure).map(|values| format!("{values:?}"));
        assert_eq!(format!("{result:?}"), expected, "{op:?}");
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }
}

#[test]
fn finalizers_that_wait_outlast_a_preemption() {
    // The slice ends where the collector has just found something to finalize, and the next one allocates nothing.
    let source = "local done = false
        do local x = setmetatable({}, {__gc = function() done = true end}) end
        while not done do end";
    for fuel in [200, 201, 202, 203] {
        let (mut vm, closure) = load(source);
        let co = coroutine(&mut vm, closure);
        vm.heap.set_fuel(fuel);
        let exit = vm.enter_thread(co, 0, Entry::Values);
        assert!(matches!(exit, Exit::Preempted), "{exit:?}");
        // Steps of the collector, each in a slice that is used up, until there is something to finalize.
        while vm.heap.gc.to_finalize.is_empty() {
            vm.heap.interrupt();
            vm.heap.set_fuel(0);
            let exit = vm.enter_thread(co, 0, Entry::Again);
            assert!(matches!(exit, Exit::Preempted), "{exit:?}");
        }
        vm.heap.set_fuel(1_000_000);
        let exit = vm.enter_thread(co, 0, Entry::Again);
        assert!(matches!(exit, Exit::Done(_)), "{exit:?}");
    }
}
