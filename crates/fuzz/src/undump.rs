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
use rille_lua::{ChunkMode, disassemble};

use crate::bytes::Bytes;
use crate::compile::NAME;
use crate::machine;

/// Between them these have every opcode family, captures of both kinds, varargs and all kinds of constants.
const PROGRAMS: [&str; 6] = [
    "return 1",
    "local a, b = 1, 2.5 local function f(x, ...) a = a + x return a, b, ... end return f(1, 'x', nil, true)",
    "for i = 1, 3 do local t = {i, k = i, [i] = 'v'} for k, v in pairs(t) do t[k] = nil end end return #'x'",
    "local x <close> = nil local s = 'a' .. 1 .. 2.0 goto done do s = s:upper() end ::done:: return s == 'A', s < 'B', not s",
    "local t = setmetatable({}, {__index = function(_, k) return k end}) return t.x, t[1], t[t], -t.y, ~3, 7 // 2, 1 << 3, 2 ^ 8",
    "while a do if b and c or d then break else e = function(...) return select('#', ...) end end end return pcall(error, {})",
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
    let Ok(chunk) = undump(&bytes, NAME) else {
        return;
    };
    verify(&chunk.main).expect("what is accepted verifies");
    let written = dump(&chunk.main, false);
    let again = undump(&written, NAME).expect("what was read can be written and read");
    assert_eq!(disassemble(&chunk), disassemble(&again));

    let lua = machine::lua(false);
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

/// The dump of a program with changes at places of the input's choice.
fn changed_dump(data: &[u8]) -> Vec<u8> {
    let mut input = Bytes::new(data);
    let source = input.pick(&PROGRAMS);
    let strip = input.one_in(4);
    let chunk = compile(source.as_bytes(), NAME, &Options::default(), &mut Unmetered);
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
