//! Target `compile`: any bytes as source text.
//!
//! What must hold: no panic; work and memory within a fixed multiple of the source's length; what comes out satisfies the
//! verifier and survives a trip through a binary chunk; and the reference of each
//! version gives the same verdict in the same words.

use rille_lua::compiler::dump::{dump, undump};
use rille_lua::compiler::verify::verify;
use rille_lua::compiler::{CompileError, Meter, Options, Stop, compile as compile_source};
use rille_lua::disassemble;
use rille_lua::{Chunk, Dialect};

use crate::machine::{self, Mode};
use crate::{compare, reference};

/// The name that chunks are compiled under.
pub const NAME: &[u8] = b"=p";
/// Longer inputs show nothing that shorter ones do not.
const MAX_SOURCE: usize = 1 << 16;
/// Fuel for a byte of source, and for any source: measured, rounded up generously.
const FUEL_PER_BYTE: u64 = 64;
const FUEL_AT_ALL: u64 = 1024;
/// Bytes charged for a byte of source, and for any source.
const BYTES_PER_BYTE: usize = 512;
const BYTES_AT_ALL: usize = 1 << 14;

/// Says no at a limit.
pub struct Bounded {
    /// Fuel left.
    pub fuel: u64,
    /// Bytes left.
    pub bytes: usize,
}

impl Bounded {
    /// What a source of this length may take.
    pub fn for_source(length: usize) -> Bounded {
        Bounded {
            fuel: FUEL_AT_ALL + FUEL_PER_BYTE * length as u64,
            bytes: BYTES_AT_ALL + BYTES_PER_BYTE * length,
        }
    }
}

impl Meter for Bounded {
    fn charge(&mut self, fuel: u64, bytes: usize) -> Result<(), Stop> {
        self.fuel = self.fuel.checked_sub(fuel).ok_or(Stop)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Stop)?;
        Ok(())
    }
}

/// The target.
pub fn target(data: &[u8]) {
    let source = &data[..data.len().min(MAX_SOURCE)];
    let kinds = Dialect::ALL.map(|dialect| [(dialect, false), (dialect, true)]);
    for (dialect, by_reference_captures) in kinds.into_iter().flatten() {
        let options = Options {
            dialect,
            by_reference_captures,
        };
        let mut whole = Bounded::for_source(source.len());
        match compile_source(source, NAME, &options, &mut whole) {
            Ok(chunk) => check_chunk(&chunk),
            Err(CompileError::Syntax { message, .. }) => assert!(!message.is_empty()),
            Err(CompileError::Stopped) => panic!(
                "compiling {} bytes takes more than its share of work or memory",
                source.len()
            ),
        }
        // A meter that says no anywhere on the way.
        let first = u64::from(source.first().copied().unwrap_or(0));
        let mut little = Bounded {
            fuel: (first + 1) * source.len() as u64 / 64,
            bytes: usize::MAX,
        };
        let _ = compile_source(source, NAME, &options, &mut little);
    }
    if source.starts_with(b"\x1b") {
        return;
    }
    for dialect in Dialect::ALL {
        let lua = machine::lua(dialect, false);
        let ours = machine::run(&lua, source, Mode::Load).expect("the driver catches errors");
        if let Some(theirs) = reference::run(dialect, source, Mode::Load) {
            compare::same_verdict(dialect, source, &ours, &theirs);
        }
    }
}

fn check_chunk(chunk: &Chunk) {
    if let Err(problem) = verify(&chunk.main) {
        panic!("the compiler broke an invariant of the instruction set: {problem}");
    }
    let whole = dump(&chunk.main, false);
    let read = undump(&whole, NAME, chunk.dialect()).expect("a dump can be read");
    assert!(
        whole == dump(&read.main, false),
        "a dump is not read as it was written"
    );
    assert_eq!(disassemble(chunk), disassemble(&read));
    let stripped = dump(&chunk.main, true);
    let read = undump(&stripped, NAME, chunk.dialect()).expect("a stripped dump can be read");
    assert!(
        stripped == dump(&read.main, true),
        "a stripped dump is not read as it was written"
    );
}
