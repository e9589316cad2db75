//! The compiler: source text to an immutable [`Chunk`].
//!
//! ```text
//! bytes --lexer--> tokens --parser + resolve--> Ast (flat arenas) --codegen--> FunctionCode --verify--> Chunk
//! ```
//!
//! The parser builds the whole tree before any code is made, because whether a variable is ever assigned, and so
//! whether closures may capture it by value, is known only at the end of its scope.
//!
//! **Invariants**
//! - no input makes the compiler panic or recurse deeper than [`MAX_DEPTH`] syntax levels: left-associative chains are
//!   walked with explicit stacks, and the tree lives in arenas, so that even dropping it is a loop;
//! - work and memory are charged to a [`Meter`] in small batches as they happen, never after the fact for more than
//!   one batch;
//! - what comes out satisfies the invariants stated in [`crate::op`] (checked by [`verify`] in debug builds).

mod ast;
mod codegen;
pub mod dump;
mod fold;
mod lexer;
mod parser;
mod resolve;
mod strings;
#[cfg(test)]
mod tests;
pub mod verify;

pub(crate) use parser::HIDDEN_ENVIRONMENT;
pub use parser::HOST_CHUNK;

use crate::chunk::Chunk;
use crate::dialect::Dialect;
use crate::string::as_c_string;
use std::sync::Arc;

/// How deep statements and expressions may nest; the reference's limit on C levels.
pub const MAX_DEPTH: usize = 200;

/// Length of the longest chunk id; the reference's `LUA_IDSIZE` less the terminating zero.
pub const MAX_CHUNK_ID: usize = 59;

/// What the caller chooses about a compilation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The version of the language.
    pub dialect: Dialect,
    /// Capture every variable by reference, so that captured locals keep their identity for `debug.upvalueid`
    /// (strict mode).
    pub by_reference_captures: bool,
}

/// What compilation is charged to.
pub trait Meter {
    /// Called every few dozen tokens, nodes or instructions, before more memory is taken; an error aborts compilation.
    fn charge(&mut self, fuel: u64, bytes: usize) -> Result<(), Stop>;
}

/// The meter said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop;

/// A meter that never says no, for tests and trusted tools.
pub struct Unmetered;

impl Meter for Unmetered {
    fn charge(&mut self, _fuel: u64, _bytes: usize) -> Result<(), Stop> {
        Ok(())
    }
}

/// Why there is no chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompileError {
    /// The source is not a Lua program.
    Syntax {
        /// The whole text, `chunkid:line: message near 'token'`.
        message: Vec<u8>,
        /// The error is at the end of the source: a reader of interactive input asks for more.
        incomplete: bool,
    },
    /// The meter refused.
    Stopped,
}

/// Compiles a source text. `chunk_name` is `=name`, `@file` or the source itself, as `load` takes it.
pub fn compile(
    source: &[u8],
    chunk_name: &[u8],
    options: &Options,
    meter: &mut dyn Meter,
) -> Result<Arc<Chunk>, CompileError> {
    let mut budget = Budget::new(meter);
    let parsed = parser::parse(source, chunk_name, options.dialect, None, &mut budget);
    let made = parsed.and_then(|(ast, strings)| {
        codegen::generate(&ast, &strings, chunk_name, options, &mut budget)
    });
    let main = match made {
        Ok(main) => main,
        Err(Fail::Limit { what, at }) => {
            let stop = parser::StopAt {
                place: at,
                message: what,
            };
            return Err(locate_limit(
                source,
                chunk_name,
                options.dialect,
                stop,
                &mut budget,
            ));
        }
        Err(Fail::Syntax {
            message,
            incomplete,
        }) => {
            return Err(CompileError::Syntax {
                message,
                incomplete,
            });
        }
        Err(Fail::Stopped) => return Err(CompileError::Stopped),
    };
    if budget.flush().is_err() {
        return Err(CompileError::Stopped);
    }
    #[cfg(debug_assertions)]
    if let Err(problem) = verify::verify(&main) {
        panic!("the compiler broke an invariant of the instruction set: {problem}");
    }
    Ok(Arc::new(Chunk { main }))
}

/// A limit that only the code generator sees is reported at the token the parser had reached by then: reading the
/// source once more up to that expression costs less than keeping every node's position for the sake of this message.
fn locate_limit(
    source: &[u8],
    chunk_name: &[u8],
    dialect: Dialect,
    stop: parser::StopAt,
    budget: &mut Budget,
) -> CompileError {
    let what = stop.message;
    match parser::parse(source, chunk_name, dialect, Some(stop), budget) {
        Err(Fail::Syntax {
            message,
            incomplete,
        }) => CompileError::Syntax {
            message,
            incomplete,
        },
        Err(Fail::Stopped) => CompileError::Stopped,
        // The second reading sees what the first saw, so it stops at the expression it was told.
        Ok(_) | Err(Fail::Limit { .. }) => {
            let mut message = chunk_id(chunk_name);
            message.extend_from_slice(b": ");
            message.extend_from_slice(what.as_bytes());
            CompileError::Syntax {
                message,
                incomplete: false,
            }
        }
    }
}

/// As [`chunk_id`], in a message of this version. 5.1 cuts texts and the names of files otherwise, and shows more where the
/// message is about `syntax`.
pub(crate) fn chunk_id_in(dialect: Dialect, chunk_name: &[u8], syntax: bool) -> Vec<u8> {
    /// Bytes in C's buffers, the terminating zero included.
    const BUFFER: usize = 60;
    const BUFFER_OF_LEXER: usize = 80;
    if dialect >= Dialect::Lua52 {
        return chunk_id(chunk_name);
    }
    let buffer = if syntax { BUFFER_OF_LEXER } else { BUFFER };
    match as_c_string(chunk_name) {
        [b'=', name @ ..] => name[..name.len().min(buffer - 1)].to_vec(),
        [b'@', file @ ..] => match file.len().checked_sub(buffer - b" '...' \0".len()) {
            None | Some(0) => file.to_vec(),
            Some(cut) => [b"...", &file[cut..]].concat(),
        },
        text => {
            let line_end = text.iter().position(|b| matches!(b, b'\n' | b'\r'));
            let room = buffer - b" [string \"...\"] \0".len();
            let shown = line_end.unwrap_or(text.len()).min(room);
            let dots = if shown < text.len() { "..." } else { "" };
            let (start, end) = (b"[string \"".as_slice(), b"\"]".as_slice());
            [start, &text[..shown], dots.as_bytes(), end].concat()
        }
    }
}

/// The short form of a chunk name that messages show: `=name` and `@file` without their mark, cut to
/// [`MAX_CHUNK_ID`] bytes (a file keeps its end); anything else is source text, shown as `[string "first line..."]`.
pub fn chunk_id(chunk_name: &[u8]) -> Vec<u8> {
    // Messages are C strings in the reference: what follows a zero byte is not shown.
    let visible = |text: &[u8]| as_c_string(text).to_vec();
    match chunk_name {
        [b'=', name @ ..] => visible(&name[..name.len().min(MAX_CHUNK_ID)]),
        [b'@', file @ ..] if file.len() <= MAX_CHUNK_ID => visible(file),
        [b'@', file @ ..] => {
            let mut id = b"...".to_vec();
            id.extend_from_slice(&file[file.len() - (MAX_CHUNK_ID - 3)..]);
            visible(&id)
        }
        text => {
            const ROOM: usize = MAX_CHUNK_ID + 1 - b"[string \"...\"]".len() - 1;
            let mut id = b"[string \"".to_vec();
            let line_end = visible(text).iter().position(|&b| b == b'\n');
            match line_end {
                None if text.len() < ROOM => id.extend_from_slice(text),
                _ => {
                    let end = line_end.unwrap_or(text.len()).min(ROOM);
                    id.extend_from_slice(&text[..end]);
                    id.extend_from_slice(b"...");
                }
            }
            id.extend_from_slice(b"\"]");
            visible(&id)
        }
    }
}

/// How far the parser is when the code generator has seen a part of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// So many expressions have been read.
    pub expressions: u32,
    /// And the separator after the last of them.
    pub separator: bool,
}

/// Why a stage of the compiler gave up.
#[derive(Debug)]
pub(crate) enum Fail {
    /// A message ready for the user.
    Syntax { message: Vec<u8>, incomplete: bool },
    /// The code generator met a limit when the parser would have been at this place.
    Limit { what: &'static str, at: Place },
    /// The meter refused.
    Stopped,
}

/// Collects small charges into batches for the meter.
pub(crate) struct Budget<'m> {
    meter: &'m mut dyn Meter,
    fuel: u64,
    bytes: usize,
}

impl<'m> Budget<'m> {
    const FUEL_BATCH: u64 = 256;
    const BYTES_BATCH: usize = 4096;

    fn new(meter: &'m mut dyn Meter) -> Self {
        Budget {
            meter,
            fuel: 0,
            bytes: 0,
        }
    }

    /// Charges for work about to be done and memory about to be taken.
    #[inline]
    pub fn spend(&mut self, fuel: u64, bytes: usize) -> Result<(), Fail> {
        self.fuel += fuel;
        self.bytes += bytes;
        if self.fuel >= Self::FUEL_BATCH || self.bytes >= Self::BYTES_BATCH {
            self.flush()
        } else {
            Ok(())
        }
    }

    #[cold]
    #[inline(never)]
    fn flush(&mut self) -> Result<(), Fail> {
        let (fuel, bytes) = (
            std::mem::take(&mut self.fuel),
            std::mem::take(&mut self.bytes),
        );
        self.meter.charge(fuel, bytes).map_err(|Stop| Fail::Stopped)
    }
}
