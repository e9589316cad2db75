//! The machine under test, set up so that every run of a program is the same.

use rille_lua::{Dialect, Error, Function, Host, Lua, LuaOptions, LuaString};
use std::rc::Rc;

use crate::bytes::Bytes;

/// What runs a program and tells what it did, for both sides of a comparison.
pub const DRIVER: &str = include_str!("driver.lua");

/// More than any generated program needs; reaching it is a finding.
pub const MEMORY_LIMIT: usize = 256 << 20;
/// Instructions that no generated program gets near.
pub const INSTRUCTION_LIMIT: u64 = 2_000_000_000;

/// A host without a world: fixed hash keys and no time.
struct Nowhere;

impl Host for Nowhere {
    fn random_seed(&self) -> u64 {
        0x5eed
    }
    /// For `collectgarbage("stop")` and `string.dump`; generated programs have neither `io` nor `os`.
    fn full_access(&self) -> bool {
        true
    }
}

/// What the driver does with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Runs it.
    Run,
    /// Runs it after a trip through a binary chunk.
    Dump,
    /// Only compiles it.
    Load,
}

impl Mode {
    /// The driver's word for it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Run => "run",
            Mode::Dump => "dump",
            Mode::Load => "load",
        }
    }
}

/// How often inputs choose each version: the default one most, the two without official suites next.
const MIX: [Dialect; 10] = [
    Dialect::Lua54,
    Dialect::Lua54,
    Dialect::Lua54,
    Dialect::Lua54,
    Dialect::Lua51,
    Dialect::Lua51,
    Dialect::Lua52,
    Dialect::Lua52,
    Dialect::Lua53,
    Dialect::Lua55,
];

/// The version that an input chooses with its next byte.
pub fn dialect(input: &mut Bytes<'_>) -> Dialect {
    input.pick(&MIX)
}

/// A fresh VM.
pub fn lua(dialect: Dialect, strict: bool) -> Lua {
    let lua = Lua::with_options(LuaOptions {
        dialect,
        strict,
        memory_limit: MEMORY_LIMIT,
        host: Rc::new(Nowhere),
        ..LuaOptions::default()
    })
    .expect("a fresh VM fits");
    lua.set_instruction_limit(Some(INSTRUCTION_LIMIT));
    lua
}

/// The driver's function in a VM.
pub fn driver(lua: &Lua) -> Function {
    lua.load(DRIVER)
        .set_name("=driver")
        .eval()
        .expect("the driver loads")
}

/// Runs a program; what it did, or the error that the driver itself could not catch.
pub fn run(lua: &Lua, source: &[u8], mode: Mode) -> Result<Vec<u8>, Error> {
    let source = lua.create_string(source)?;
    let text: LuaString = driver(lua).call((source, mode.name()))?;
    Ok(text.as_bytes().to_vec())
}

/// Panics if the heap is not sound.
pub fn check_heap(lua: &Lua, what: &str) {
    let problems = lua.check_heap().expect("nothing runs");
    assert!(problems.is_empty(), "unsound heap {what}: {problems:#?}");
}
