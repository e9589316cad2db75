//! Target `budget`: generated programs in slices of fuel, stopped, and short of memory.
//!
//! What must hold: slices change nothing about what a program does; no slice takes more than [`MAX_OVERSHOOT`] beyond its
//! fuel; a coroutine that is terminated anywhere leaves a sound heap and a VM that goes on, and its closing takes no more
//! than the closing budget and one overshoot; memory never exceeds the limit, and running out of it leaves a sound heap.

use rille_lua::{Dialect, Function, Lua, LuaString, MultiValue, Outcome, StopReason, Thread};

use crate::bytes::Bytes;
use crate::machine;
use crate::program::generate;

/// How far a slice may go beyond its fuel, in fuel: the bound that the attacks are held to as well (see
/// `tests/lua/attacks/README.md`), about a millisecond of work.
pub const MAX_OVERSHOOT: u64 = 200_000;
/// Slices of one run; what is left then runs in one go.
const MAX_SLICES: usize = 3000;

/// The target.
pub fn target(data: &[u8]) {
    let mut input = Bytes::new(data);
    let seed: [u8; 8] = std::array::from_fn(|_| input.byte());
    let dialect = machine::dialect(&mut input);
    let source = generate(dialect, &mut input);
    let mut plan = Plan {
        state: u64::from_le_bytes(seed) | 1,
    };
    let setup = Setup::new(dialect, &source);
    let expected = setup.whole();
    match seed[0] % 3 {
        0 => setup.sliced(&mut plan, &expected),
        1 => setup.terminated(&mut plan, &expected),
        _ => setup.short_of_memory(&mut plan, &expected),
    }
}

/// The sizes of slices: a small generator of its own (xorshift), because a program has more slices than the input bytes.
struct Plan {
    state: u64,
}

impl Plan {
    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// Often one instruction, now and then thousands.
    fn fuel(&mut self) -> u64 {
        let bits = self.next() % 14;
        1 + self.next() % (1 << bits)
    }
}

struct Setup<'s> {
    lua: Lua,
    driver: Function,
    source: &'s str,
}

impl<'s> Setup<'s> {
    fn new(dialect: Dialect, source: &'s str) -> Setup<'s> {
        let lua = machine::lua(dialect, false);
        let driver = machine::driver(&lua);
        Setup {
            lua,
            driver,
            source,
        }
    }

    fn thread(&self) -> Thread {
        let thread = self.lua.create_thread(self.driver.clone()).expect("memory");
        // As in the unsliced run, where a stray yield is an error.
        thread.set_main(true);
        thread
    }

    fn whole(&self) -> Vec<u8> {
        let result = self.driver.call::<LuaString>((self.source, "run"));
        let result = result.unwrap_or_else(|e| panic!("{e}\n{}", self.source));
        result.as_bytes().to_vec()
    }

    /// Runs a slice and checks what it took.
    fn slice(&self, run: impl FnOnce() -> Outcome, fuel: u64) -> Outcome {
        let before = self.lua.fuel_used();
        let outcome = run();
        let used = self.lua.fuel_used() - before;
        assert!(
            used <= fuel + MAX_OVERSHOOT,
            "a slice of {fuel} took {used}\n{}",
            self.source
        );
        outcome
    }

    fn text_of(&self, values: &MultiValue) -> Vec<u8> {
        let text = values.front().and_then(|v| v.as_string());
        text.expect("the driver returns a text").as_bytes().to_vec()
    }

    fn sliced(&self, plan: &mut Plan, expected: &[u8]) {
        let thread = self.thread();
        let stressed = plan.next().is_multiple_of(16);
        self.lua.set_gc_stress(stressed);
        let fuel = plan.fuel();
        let mut slices = 0;
        let start = || thread.resume_with_fuel((self.source, "run"), fuel);
        // Collecting everything at every allocation is far more than a slice.
        let mut outcome = if stressed {
            start()
        } else {
            self.slice(start, fuel)
        };
        while matches!(outcome, Outcome::Preempted) {
            slices += 1;
            let fuel = if slices < MAX_SLICES {
                plan.fuel()
            } else {
                1 << 32
            };
            if plan.next().is_multiple_of(512) {
                machine::check_heap(&self.lua, &format!("between slices\n{}", self.source));
            }
            let go_on = || thread.continue_with_fuel(fuel);
            outcome = if stressed {
                go_on()
            } else {
                self.slice(go_on, fuel)
            };
        }
        self.lua.set_gc_stress(false);
        match outcome {
            Outcome::Done(values) => {
                let ours = self.text_of(&values);
                assert!(
                    ours == expected,
                    "slices changed what the program does\n{}\n---- in one go ----\n{}\n---- program ----\n{}",
                    String::from_utf8_lossy(&ours),
                    String::from_utf8_lossy(expected),
                    self.source
                );
            }
            other => panic!("{other:?}\n{}", self.source),
        }
        machine::check_heap(&self.lua, &format!("after slices\n{}", self.source));
    }

    fn terminated(&self, plan: &mut Plan, expected: &[u8]) {
        for _ in 0..8 {
            let thread = self.thread();
            let total = plan.next() % (1 << (4 + plan.next() % 14));
            let outcome = self.slice(
                || thread.resume_with_fuel((self.source, "run"), total),
                total,
            );
            if !matches!(outcome, Outcome::Preempted) {
                continue;
            }
            let closing = plan.fuel();
            let before = self.lua.fuel_used();
            thread.terminate(StopReason::Killed, closing);
            let used = self.lua.fuel_used() - before;
            assert!(
                used <= closing + MAX_OVERSHOOT,
                "closing on {closing} took {used}\n{}",
                self.source
            );
            assert_eq!(thread.status(), rille_lua::ThreadStatus::Finished);
            machine::check_heap(&self.lua, &format!("after terminating\n{}", self.source));
            if plan.next().is_multiple_of(2) {
                self.lua.gc_collect().expect("nothing runs");
                machine::check_heap(
                    &self.lua,
                    &format!("after terminating and collecting\n{}", self.source),
                );
            }
        }
        assert!(
            self.whole() == expected,
            "another result after terminations\n{}",
            self.source
        );
    }

    fn short_of_memory(&self, plan: &mut Plan, expected: &[u8]) {
        for _ in 0..6 {
            self.lua.gc_collect().expect("nothing runs");
            let room = plan.next() % (1 << (8 + plan.next() % 12));
            let limit = self.lua.used_memory() + room as usize;
            self.lua.set_memory_limit(limit).expect("nothing runs");
            // Errors, results that a `pcall` made of errors, and success are all fine here.
            let _ = self.driver.call::<LuaString>((self.source, "run"));
            let used = self.lua.used_memory();
            assert!(
                used <= limit,
                "{used} bytes with a limit of {limit}\n{}",
                self.source
            );
            self.lua
                .set_memory_limit(machine::MEMORY_LIMIT)
                .expect("nothing runs");
            machine::check_heap(
                &self.lua,
                &format!("after running out of memory\n{}", self.source),
            );
        }
        assert!(
            self.whole() == expected,
            "another result after running out of memory\n{}",
            self.source
        );
    }
}
