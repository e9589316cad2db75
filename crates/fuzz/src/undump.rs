//! Target `undump`: any bytes as a binary chunk.
//!
//! Random bytes never get past the header, and a corpus of chunks would be out of date with every change of the
//! instruction set. So an input that is not itself a chunk names a program and changes to make in its compiled form.
//!
//! What must hold: no panic; what is accepted satisfies the verifier and is written as it was read; and it can be *run*
//! without breaking the heap, because the verifier promises that running touches only what belongs to the code.

use rille_lua::compiler::dump::{SIGNATURE, dump, undump};
use rille_lua::compiler::verify::verify;
use rille_lua::compiler::{Options, Unmetered, compile};
use rille_lua::{ChunkMode, Dialect, disassemble};

use crate::bytes::Bytes;
use crate::compile::NAME;
use crate::machine;

/// Programs, each with the first version that has what it uses. Between them these have every opcode family, captures of
/// both kinds, varargs and all kinds of constants.
const PROGRAMS: [(&str, Dialect); 10] = [
    ("return 1", Dialect::Lua51),
    (
        "local a, b = 1, 2.5 local function f(x, ...) a = a + x return a, b, ... end return f(1, 'x', nil, true)",
        Dialect::Lua51,
    ),
    (
        "for i = 1, 3 do local t = {i, k = i, [i] = 'v'} for k, v in pairs(t) do t[k] = nil end end return #'x'",
        Dialect::Lua51,
    ),
    (
        "while a do if b and c or d then break else e = function(...) return select('#', ...) end end end return pcall(error, {})",
        Dialect::Lua51,
    ),
    (
        "local t = {1, 2} local function f(...) return arg, a end for i = 3, -1, -0.5 do t[#t + 1] = -t[1] % 2 ^ 3 end return f(#t, not t.x)",
        Dialect::Lua51,
    ),
    (
        "local s = 'a' .. 1 .. 2.0 goto done do local _ENV = {} s = s:upper() x = s end ::done:: return s == 'A', s < 'B', not s",
        Dialect::Lua52,
    ),
    (
        "local t = setmetatable({}, {__index = function(_, k) return k end}) return t.x, t[1], t[t], -t.y, ~3, 7 // 2, 1 << 3, 2 ^ 8",
        Dialect::Lua53,
    ),
    (
        "local x <close> = nil local s <const> = 'a' .. 1 .. 2.0 for k in next, {}, nil, nil do print(k, s) end return s",
        Dialect::Lua54,
    ),
    (
        "local function f(...t) t[1] = t.n return t, ... end local function g(...t) return t.n, t[2] end return f(1), g(2, 3)",
        Dialect::Lua55,
    ),
    (
        "global<const> print, pcall global x, y x = 1 global function f() y = x return y end return pcall(f)",
        Dialect::Lua55,
    ),
];

/// Enough to reach any instruction, few enough for an endless loop to be over soon.
const FUEL: u64 = 20_000;

/// The target.
pub fn target(data: &[u8]) {
    let bytes = if data.starts_with(SIGNATURE) {
        data.to_vec()
    } else {
        changed_dump(data)
    };
    let mut readers = (Dialect::ALL.into_iter())
        .filter_map(|dialect| Some((dialect, undump(&bytes, NAME, dialect).ok()?)));
    let Some((dialect, chunk)) = readers.next() else {
        return;
    };
    assert!(readers.next().is_none(), "two versions read the chunk");
    verify(&chunk.main).expect("what is accepted verifies");
    let written = dump(&chunk.main, false);
    let again = undump(&written, NAME, dialect).expect("what was read can be written and read");
    assert_eq!(disassemble(&chunk), disassemble(&again));

    let lua = machine::lua(dialect, false);
    lua.set_instruction_limit(Some(FUEL));
    lua.set_memory_limit(16 << 20).expect("nothing runs");
    if let Ok(f) = lua
        .load(&bytes[..])
        .set_mode(ChunkMode::Binary)
        .into_function()
    {
        // Whatever the code does, errors included, is its own business.
        let _ = f.call::<()>((1, "two"));
        machine::check_heap(&lua, "after running a binary chunk");
        lua.gc_collect().expect("nothing runs");
        machine::check_heap(&lua, "after running a binary chunk and collecting");
    }
}

/// The dump of a program of some version, with changes at places of the input's choice.
fn changed_dump(data: &[u8]) -> Vec<u8> {
    let mut input = Bytes::new(data);
    let dialect = machine::dialect(&mut input);
    let programs: Vec<&str> = (PROGRAMS.iter())
        .filter(|(_, first)| *first <= dialect)
        .map(|(source, _)| *source)
        .collect();
    let source = input.pick(&programs);
    let strip = input.one_in(4);
    let options = Options {
        dialect,
        by_reference_captures: input.one_in(4),
    };
    let chunk = compile(source.as_bytes(), NAME, &options, &mut Unmetered);
    let mut bytes = dump(&chunk.expect("these are programs").main, strip);
    for _ in 0..input.below(8) {
        let at = input.below(bytes.len());
        match input.below(6) {
            0 => bytes[at] = input.byte(),
            1 => bytes[at] = bytes[at].wrapping_add(1),
            2 => bytes[at] = bytes[at].wrapping_sub(1),
            3 => bytes.truncate(at),
            4 => {
                let other = input.below(bytes.len().saturating_sub(4).max(1));
                for i in 0..4.min(bytes.len().saturating_sub(at.max(other))) {
                    bytes[at + i] = bytes[other + i];
                }
            }
            _ => bytes.insert(at, input.byte()),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The changes of an input are at places in a dump, whose layout changes with the format.
    #[test]
    fn the_regression_has_a_list_without_a_table() {
        let inputs = crate::inputs::regressions("undump");
        let input = (inputs.iter())
            .find(|input| input.path.ends_with("setlist-without-table"))
            .expect("the regression is there");
        let chunk = undump(&changed_dump(&input.data), NAME, Dialect::Lua54).expect("it is read");
        let code = disassemble(&chunk);
        let register_of = |op: &str| {
            let line = code.lines().find(|line| line.contains(op)).expect(op);
            let operands = line.split_once(op).expect(op).1;
            operands.split_whitespace().next().expect("A").to_owned()
        };
        assert_ne!(register_of("SETLIST"), register_of("NEWTABLE"), "{code}");
    }

    #[test]
    fn every_version_takes_the_programs_that_are_its() {
        for dialect in Dialect::ALL {
            for (source, _) in PROGRAMS.iter().filter(|(_, first)| *first <= dialect) {
                let options = Options {
                    dialect,
                    ..Options::default()
                };
                let chunk = compile(source.as_bytes(), NAME, &options, &mut Unmetered);
                assert!(chunk.is_ok(), "{dialect}: {source}: {:?}", chunk.err());
            }
        }
    }
}
