//! The basic libraries against the reference: scripts, and what the reference prints for them.
//!
//! Each script runs four times: as it is, with a collection at every allocation, and preempted after every few
//! instructions and after every single one. The output must be the same, and the heap sound.

mod base;
mod collector;
mod coroutines;
mod dialects;
mod loading;
mod math;
mod packages;
mod sandbox;

use crate::host::Host;
use crate::value::Val;
use crate::vm::Vm;
use crate::vm::entry::{Entry, Exit};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// A host whose files are in a map and whose output is kept.
#[derive(Default)]
pub(super) struct TestHost {
    pub out: RefCell<Vec<u8>>,
    pub files: HashMap<Vec<u8>, Vec<u8>>,
    pub env: HashMap<Vec<u8>, Vec<u8>>,
    pub sandbox: bool,
    pub dialect: crate::Dialect,
}

impl Host for TestHost {
    fn env_var(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.env.get(name).cloned()
    }
    fn write_out(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.out.borrow_mut().extend_from_slice(bytes);
        Ok(())
    }
    fn read_source(&self, path: &[u8]) -> Option<std::io::Result<Vec<u8>>> {
        self.files.get(path).map(|text| Ok(text.clone()))
    }
    fn full_access(&self) -> bool {
        !self.sandbox
    }
}

/// How a script is run.
#[derive(Clone, Copy, Debug)]
enum How {
    Plain,
    Stress,
    Sliced(i64),
}

/// What a script prints; an error that leaves it is the last line.
fn output(host: TestHost, script: &str, how: How) -> String {
    let host = Rc::new(host);
    let sandbox = host.sandbox;
    let mut vm = Vm::new(host.clone(), usize::MAX / 2, false, host.dialect).expect("memory");
    vm.heap.set_fuel(i64::MAX / 4);
    super::open_all(&mut vm, sandbox).expect("memory");
    let main = vm.load_source(script.as_bytes(), b"=t").expect("compiles");
    vm.scratch.push(Val::lua_closure(main));
    let error = match how {
        How::Sliced(slice) => run_sliced(&mut vm, slice),
        _ => {
            vm.heap.stress = matches!(how, How::Stress);
            vm.heap.update_trigger();
            let t = vm.thread_mut();
            let top = t.top;
            t.set(top as usize, Val::lua_closure(main));
            t.top = top + 1;
            match vm.enter_call(0).expect("enters") {
                Exit::Done(_) => None,
                Exit::Failed => Some(vm.thrown),
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(vm.check_heap(), Vec::<String>::new(), "{how:?}\n{script}");
    let mut out = String::from_utf8_lossy(&host.out.borrow()).into_owned();
    if let Some(error) = error {
        out.push_str(&format!("error: {error:?}"));
    }
    out
}

/// Runs the function on top of `scratch` as the main program, a few instructions at a time.
fn run_sliced(vm: &mut Vm, slice: i64) -> Option<Val> {
    let main = *vm.scratch.last().expect("the script");
    let mut co = vm.new_thread().expect("memory");
    vm.scratch.push(Val::thread(co));
    co.header.extra |= crate::thread::thread_bits::IS_MAIN;
    co.set(1, main);
    co.top = 2;
    let mut how = Entry::Values;
    loop {
        vm.heap.set_fuel(slice);
        match vm.enter_thread(co, 0, how) {
            Exit::Done(_) => return None,
            Exit::Failed => return Some(vm.thrown),
            Exit::Preempted => how = Entry::Again,
            other => panic!("{other:?}"),
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.trim()
        .lines()
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// Checks that a script prints the expected lines, however it is run. Indentation and empty lines do not count.
fn check(script: &str, expected: &str) {
    check_on(TestHost::default, script, expected);
}

/// As `check`, on a host of the test's own.
fn check_on(host: impl Fn() -> TestHost, script: &str, expected: &str) {
    // Lines are numbered from the first that says something.
    let script = script.trim_start_matches(['\n', ' ']);
    for how in [How::Plain, How::Stress, How::Sliced(7), How::Sliced(1)] {
        assert_eq!(
            lines(&output(host(), script, how)),
            lines(expected),
            "{how:?}\n{script}"
        );
    }
}
