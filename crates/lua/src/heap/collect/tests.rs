//! Collections in very small pieces, with programs at work in between: nothing that they can reach is lost, the heap is sound, and no step does
//! more than its share.

use super::{MAX_PIECE, Phase, STEP_WORK};
use crate::vm::Vm;
use crate::vm::entry::{Entry, Exit};
use crate::vm::tests::{coroutine, load};

/// Runs a program with a check of the heap after every so many steps.
fn runs(source: &str) -> Box<Vm> {
    let (mut vm, closure) = load(source);
    vm.heap.verify = true;
    let co = coroutine(&mut vm, closure);
    let exit = vm.enter_thread(co, 0, Entry::Values);
    assert!(matches!(exit, Exit::Done(_)), "{exit:?} {:?}", vm.thrown);
    vm
}

#[test]
fn what_a_program_may_rely_on() {
    let source = include_str!("../../../../../tests/lua/gc/in_pieces.lua");
    let vm = runs(&format!("ROUNDS = 6000 print = function() end {source}"));
    assert!(vm.heap.gc.cycles > 5, "{} cycles", vm.heap.gc.cycles);
}

/// Programs that never hold much on a running stack: every step is within the bound.
#[test]
fn no_step_does_more_than_its_share() {
    let programs = [
        // A large array, a large hash part, strings.
        "local t = {} for i = 1, 20000 do t[i] = {} t['k' .. i] = i end
         for i = 1, 20000 do t[i] = nil t['k' .. i] = nil end",
        // Many weak tables, and large ones.
        "local all = {} for i = 1, 3000 do all[i] = setmetatable({}, {__mode = i % 2 == 0 and 'k' or 'v'}) all[i][i] = {} end
         local w = setmetatable({}, {__mode = 'k'}) for i = 1, 9000 do w[{}] = {i} end
         for i = 1, 9000 do local o = {} w[o] = o end",
        // Many objects with finalizers, and many that die at once.
        "local n = 0 local meta = {__gc = function() n = n + 1 end} local all = {}
         for i = 1, 9000 do all[i] = setmetatable({}, meta) end all = nil
         for i = 1, 9000 do local o = {i} end",
        // Many coroutines that run in turn, each with a captured variable.
        "local all = {} for i = 1, 2000 do all[i] = coroutine.wrap(function() local n = 0
             local function up() n = n + 1 return n end while true do coroutine.yield({up()}) end end) end
         for i = 1, 20000 do all[i % 2000 + 1]() end all = {} for i = 1, 9000 do local o = {i} end",
        // A deep stack that stays while others come and go above it.
        "local function up(n) local o = {n} if n == 0 then for i = 1, 40000 do local t = {o} end else up(n - 1) end return o end
         up(3000)",
        // Many captured variables in one function's stack.
        "local all = {} for i = 1, 3000 do local n = {i} all[i] = function() n = n return n end end
         for i = 1, 60000 do local t = {all[i % 3000 + 1]()} end",
    ];
    for source in programs {
        let vm = runs(source);
        let gc = &vm.heap.gc;
        assert!(gc.cycles > 1, "{} cycles: {source}", gc.cycles);
        // The end of marking looks at what runs or has just run: here some frames, what is unused of a stack of 50,000 slots at most, and the
        // library's roots.
        const ROOTS: usize = 1024 + 50_000 / 8;
        let bound = 2 * STEP_WORK + MAX_PIECE + 3 * ROOTS;
        assert!(
            gc.max_step_work <= bound,
            "{} units in a step, {bound} are the bound: {source}",
            gc.max_step_work
        );
    }
}

#[test]
fn a_step_for_a_program_that_stops_in_any_phase() {
    // The VM goes while weak tables are hidden, objects wait to be finalized, pages are half swept.
    for steps in 0..400 {
        let source = "local w = setmetatable({}, {__mode = 'k'}) live = {}
            for i = 1, 300 do live[i] = setmetatable({}, {__gc = function(o) w[o] = nil end}) w[live[i]] = {i} w[{}] = i end
            for i = 1, 300, 2 do live[i] = nil end";
        let (mut vm, closure) = load(source);
        let co = coroutine(&mut vm, closure);
        let exit = vm.enter_thread(co, 0, Entry::Values);
        assert!(matches!(exit, Exit::Done(_)), "{exit:?}");
        let mut left = 7 * steps;
        while left > 0 {
            vm.collect_some(1);
            left -= 1;
        }
        assert_eq!(
            vm.check_heap(),
            Vec::<String>::new(),
            "{:?}",
            vm.heap.gc.phase
        );
        if steps % 3 == 0 {
            vm.collect_everything();
            assert_eq!(vm.heap.gc.phase, Phase::Pause);
            assert_eq!(vm.check_heap(), Vec::<String>::new());
        }
        if steps % 2 == 0 {
            vm.finalize_everything();
        }
    }
}

/// A coroutine with many frames that only a dead object's finalizer reaches: what was noted about its stack when it was brought
/// back says nothing in the next cycle.
#[test]
fn a_deep_coroutine_is_brought_back() {
    let vm = runs(
        "local saved
        local function deep(n)
            local here = {n}
            if n == 0 then
                coroutine.yield()
            else
                deep(n - 1)
            end
            assert(here[1] == n)
        end
        for round = 1, 6 do
            local co = coroutine.create(deep)
            coroutine.resume(co, 60)
            setmetatable({co = co}, {__gc = function(o) saved = o.co end})
            co = nil
            collectgarbage()
            local co = saved
            saved = nil
            assert(co and coroutine.status(co) == 'suspended')
            for i = 1, 3000 do local t = {i} end
            collectgarbage()
            for i = 1, 300 do local t = {i} end
            assert(coroutine.resume(co))
        end",
    );
    assert!(vm.heap.gc.cycles > 12);
}

/// Weak tables that grow where the memory limit makes the allocation collect everything, in any phase that a collection is in.
#[test]
fn weak_tables_that_grow_at_the_memory_limit() {
    let source = "local kinds = {'k', 'v', 'kv'} local kept = {} local n, full = 0, 0
        for round = 1, 60 do
            local w
            local ok, message = pcall(function()
                w = setmetatable({}, {__mode = kinds[round % 3 + 1]})
                for i = 1, 3000 do
                    local o = {i}
                    w[o] = o w[i] = {i} w['k' .. i] = o
                    kept[i % 50 + 1] = o
                    n = n + 1
                end
            end)
            if not ok then assert(message == 'not enough memory') full = full + 1 end
            if w then for k, v in next, w do assert(v[1]) end end
            w = nil
        end
        assert(n > 1000)";
    for room in 0..12 {
        let (mut vm, closure) = load(source);
        vm.heap.verify = true;
        vm.heap.limit = vm.heap.used + 60_000 + room * 7_001;
        vm.heap.update_trigger();
        let co = coroutine(&mut vm, closure);
        let exit = vm.enter_thread(co, 0, Entry::Values);
        assert!(matches!(exit, Exit::Done(_)), "{exit:?} {:?}", vm.thrown);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }
}
