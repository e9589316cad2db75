//! Target `program`: generated Lua programs, compared with the reference: output, results, texts of errors.
//!
//! The input chooses the version of the language, and the program has what that version has.
//!
//! The generator ([`generate`]) knows what may legitimately differ and never writes it:
//! - programs end: every function and loop begins with `tick(n)`, an allowance that the driver hands out;
//! - strings stay short: what is stored or passed goes through `clip`;
//! - no `#` on tables that may have holes (`len` counts), no order of `pairs` (`num` makes sums of it), no addresses (`str`);
//! - no yields where only we can (callbacks of natives), no sort of what has no total order, no finalizers (target `gc`).

mod expression;
mod generate;
mod statement;
mod version;
mod vocabulary;

pub use generate::generate;

use crate::bytes::Bytes;
use crate::machine::{self, Mode};
use crate::{compare, reference};

/// The target.
pub fn target(data: &[u8]) {
    let mut input = Bytes::new(data);
    let setup = input.byte();
    let dialect = machine::dialect(&mut input);
    let source = generate(dialect, &mut input);
    // The first bits of the input choose how ours runs; the reference has one way.
    let strict = setup & 1 != 0;
    let mode = if setup & 2 != 0 {
        Mode::Dump
    } else {
        Mode::Run
    };
    let lua = machine::lua(dialect, strict);
    let stressed = setup & 0x3c == 0x3c;
    lua.set_gc_stress(stressed);
    lua.set_gc_quarantine(stressed);
    let ours = machine::run(&lua, source.as_bytes(), mode);
    lua.set_gc_stress(false);
    let ours = ours.unwrap_or_else(|e| panic!("{e}\n---- program of {dialect} ----\n{source}"));
    machine::check_heap(&lua, &format!("after\n{source}"));
    if let Some(theirs) = reference::run(dialect, source.as_bytes(), mode) {
        compare::same(dialect, source.as_bytes(), &ours, &theirs);
    }
}
