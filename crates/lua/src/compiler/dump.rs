//! Binary chunks: what `string.dump` writes and `load` reads back.
//!
//! The header is the one every Lua 5.4 writes, but for the version, so that programs that look at it find what they
//! expect; the rest is our own, behind a mark of our own. Numbers are little-endian.
//!
//! ```text
//! header  FORMAT_MARK  function
//! function = flags u8, params u8, registers u8, line u32, last line u32, source bytes,
//!            code [u32], constants [tag u8, payload], upvalues [flags u8, index u8, name],
//!            functions [function], lines [u32], locals [name, start u32, end u32]
//! [x] = count u32, then x count times;  bytes, name = length u32, bytes
//! ```
//!
//! **Invariant:** reading never trusts a count further than the bytes that are there, nests at most
//! [`MAX_DEPTH`](super::MAX_DEPTH) functions, and gives out only code that [`verify`](super::verify::verify) accepts.

use super::verify::verify;
use crate::chunk::{Chunk, Constant, FunctionCode, LocalVar, UpvalueDesc};
use crate::dialect::Dialect;
use crate::op::{Instr, Op};
use std::collections::HashMap;
use std::sync::Arc;

/// What a binary chunk begins with.
pub const SIGNATURE: &[u8] = b"\x1bLua";

/// The parts of a version's header, each with what is wrong if it differs: signature, version, format 0, bytes that text
/// conversions damage, sizes of types, and numbers to check their encoding by.
fn header(dialect: Dialect) -> Vec<(Vec<u8>, &'static str)> {
    const SIZE: &str = "size mismatch";
    const INTEGER: &str = "integer format mismatch";
    const FLOAT: &str = "float format mismatch";
    const INSTRUCTION: i32 = 0x1234_5678;
    const SAMPLE: i64 = 0x5678;
    let mut parts = vec![
        (SIGNATURE.to_vec(), "not a binary chunk"),
        (vec![version_byte(dialect)], "version mismatch"),
        (vec![0], "format mismatch"),
        (b"\x19\x93\r\n\x1a\n".to_vec(), "corrupted chunk"),
    ];
    let mut add = |part: &[u8], problem| parts.push((part.to_vec(), problem));
    if dialect >= Dialect::Lua55 {
        // Each size is followed by a sample.
        add(&[4], "int size mismatch");
        add(&(-SAMPLE as i32).to_le_bytes(), "int format mismatch");
        add(&[4], "instruction size mismatch");
        add(&INSTRUCTION.to_le_bytes(), "instruction format mismatch");
        add(&[8], "Lua integer size mismatch");
        add(&(-SAMPLE).to_le_bytes(), "Lua integer format mismatch");
        add(&[8], "Lua number size mismatch");
        add(&(-370.5f64).to_le_bytes(), "Lua number format mismatch");
        return parts;
    }
    if dialect < Dialect::Lua54 {
        add(&[4, 8], SIZE); // C's int and size_t
    }
    add(&[4, 8, 8], SIZE);
    add(&SAMPLE.to_le_bytes(), INTEGER);
    add(&370.5f64.to_le_bytes(), FLOAT);
    parts
}

/// What tells our code from other implementations'; the number is that of the instruction set.
const FORMAT_MARK: &[u8] = b"RILLE\x04";

const FLAG_VARARG: u8 = 1;
const FLAG_HAS_SOURCE: u8 = 2;
const UPVALUE_IN_STACK: u8 = 1;
const UPVALUE_BY_VALUE: u8 = 2;

/// Why a binary chunk was refused, as it follows "chunkname: bad binary format" in the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndumpError {
    /// The bytes end too early.
    Truncated,
    /// The header or the mark is not ours.
    Mismatch(&'static str),
    /// The content makes no sense.
    Corrupted,
}

impl UndumpError {
    /// The message, without the name of the chunk.
    pub fn message(self) -> String {
        let what = match self {
            UndumpError::Truncated => "truncated chunk",
            UndumpError::Mismatch(what) => what,
            UndumpError::Corrupted => "corrupted chunk",
        };
        format!("bad binary format ({what})")
    }
}

/// The byte that stands for a dialect: 0x54 for 5.4.
fn version_byte(dialect: Dialect) -> u8 {
    0x51 + dialect as u8
}

/// Writes a function. With `strip`, without lines, names of variables and source.
pub fn dump(code: &FunctionCode, strip: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for (part, _) in header(code.dialect) {
        out.extend(part);
    }
    out.extend_from_slice(FORMAT_MARK);
    write_function(&mut out, code, strip, None, &mut HashMap::new());
    out
}

/// The numbers of string constants that have been written.
type Written<'a> = HashMap<&'a [u8], u32>;

fn write_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_u32(out, bytes.len() as u32);
    out.extend_from_slice(bytes);
}

fn write_function<'a>(
    out: &mut Vec<u8>,
    code: &'a FunctionCode,
    strip: bool,
    parent: Option<&[u8]>,
    written: &mut Written<'a>,
) {
    // Nested functions have the source of the outermost one.
    let has_source = !strip && parent != Some(&code.source);
    let mut flags = 0;
    if code.is_vararg {
        flags |= FLAG_VARARG;
    }
    if has_source {
        flags |= FLAG_HAS_SOURCE;
    }
    out.extend([flags, code.num_params, code.max_stack]);
    write_u32(out, code.line_defined);
    write_u32(out, code.last_line_defined);
    write_bytes(out, if has_source { &code.source } else { b"" });
    write_u32(out, code.code.len() as u32);
    for instr in &code.code {
        write_u32(out, instr.0);
    }
    write_u32(out, code.constants.len() as u32);
    for constant in &code.constants {
        write_constant(out, constant, written);
    }
    write_u32(out, code.upvalues.len() as u32);
    for upvalue in &code.upvalues {
        let in_stack = u8::from(upvalue.in_stack) * UPVALUE_IN_STACK;
        let by_value = u8::from(upvalue.by_value) * UPVALUE_BY_VALUE;
        out.extend([in_stack | by_value, upvalue.index]);
        write_bytes(out, if strip { b"" } else { &upvalue.name });
    }
    write_u32(out, code.children.len() as u32);
    for child in &code.children {
        write_function(out, child, strip, Some(&code.source), written);
    }
    let lines: &[u32] = if strip { &[] } else { &code.lines };
    write_u32(out, lines.len() as u32);
    for &line in lines {
        write_u32(out, line);
    }
    let locals: &[LocalVar] = if strip { &[] } else { &code.locals };
    write_u32(out, locals.len() as u32);
    for local in locals {
        write_bytes(out, &local.name);
        write_u32(out, local.start_pc);
        write_u32(out, local.end_pc);
    }
}

fn write_constant<'a>(out: &mut Vec<u8>, constant: &'a Constant, written: &mut Written<'a>) {
    match constant {
        Constant::Nil => out.push(0),
        Constant::Bool(value) => out.push(1 + u8::from(*value)),
        Constant::Int(value) => {
            out.push(3);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Constant::Float(value) => {
            out.push(4);
            out.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Constant::Str(value) => match written.get(&**value) {
            Some(number) => {
                out.push(6);
                write_u32(out, *number);
            }
            None => {
                out.push(5);
                write_bytes(out, value);
                written.insert(value, written.len() as u32);
            }
        },
    }
}

/// Reads a binary chunk of a dialect. A stripped one takes `name` for its source.
///
/// Reading takes time and memory in proportion to the length of `bytes`; the caller charges for it.
pub fn undump(bytes: &[u8], name: &[u8], dialect: Dialect) -> Result<Arc<Chunk>, UndumpError> {
    let mut reader = Reader {
        rest: bytes,
        dialect,
        strings: Vec::new(),
    };
    reader.header()?;
    let main = reader.function(&Arc::from(name), 0)?;
    // What a verifier says is of use to those who made the chunk only; it is never right to run it.
    verify(&main).map_err(|_| UndumpError::Corrupted)?;
    Ok(Arc::new(Chunk {
        main: Arc::new(main),
    }))
}

struct Reader<'a> {
    rest: &'a [u8],
    dialect: Dialect,
    /// The string constants read so far.
    strings: Vec<Arc<[u8]>>,
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Result<(), UndumpError> {
        for (part, problem) in header(self.dialect) {
            if self.take(part.len())? != part {
                return Err(UndumpError::Mismatch(problem));
            }
        }
        if self.take(FORMAT_MARK.len())? != FORMAT_MARK {
            return Err(UndumpError::Mismatch("made by another implementation"));
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], UndumpError> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(UndumpError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, UndumpError> {
        Ok(self.take(1)?[0])
    }

    fn u32(&mut self) -> Result<u32, UndumpError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn u64(&mut self) -> Result<u64, UndumpError> {
        let (low, high) = (self.u32()?, self.u32()?);
        Ok(u64::from(low) | u64::from(high) << 32)
    }

    fn bytes(&mut self) -> Result<&'a [u8], UndumpError> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// Reads a counted list. Room is made for as many elements as the remaining bytes can hold, `size` each at least.
    fn list<T>(
        &mut self,
        size: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, UndumpError>,
    ) -> Result<Box<[T]>, UndumpError> {
        let count = self.u32()? as usize;
        if count > self.rest.len() / size {
            return Err(UndumpError::Truncated);
        }
        let mut list = Vec::with_capacity(count);
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list.into())
    }

    fn function(&mut self, source: &Arc<[u8]>, depth: usize) -> Result<FunctionCode, UndumpError> {
        if depth > super::MAX_DEPTH {
            return Err(UndumpError::Corrupted);
        }
        let flags = self.u8()?;
        let num_params = self.u8()?;
        let max_stack = self.u8()?;
        let line_defined = self.u32()?;
        let last_line_defined = self.u32()?;
        let own_source = self.bytes()?;
        let source = match flags & FLAG_HAS_SOURCE {
            0 => source.clone(),
            _ => Arc::from(own_source),
        };
        Ok(FunctionCode {
            code: self.list(4, Reader::instruction)?,
            constants: self.list(1, Reader::constant)?,
            upvalues: self.list(6, Reader::upvalue)?,
            children: self.list(8, |reader| {
                reader.function(&source, depth + 1).map(Arc::new)
            })?,
            num_params,
            is_vararg: flags & FLAG_VARARG != 0,
            dialect: self.dialect,
            max_stack,
            line_defined,
            last_line_defined,
            lines: self.list(4, Reader::u32)?,
            locals: self.list(12, Reader::local)?,
            source,
        })
    }

    fn instruction(&mut self) -> Result<Instr, UndumpError> {
        let word = self.u32()?;
        // An unknown opcode must never become an `Op`.
        if (word as u8) as usize >= Op::COUNT {
            return Err(UndumpError::Corrupted);
        }
        Ok(Instr(word))
    }

    fn constant(&mut self) -> Result<Constant, UndumpError> {
        Ok(match self.u8()? {
            0 => Constant::Nil,
            1 => Constant::Bool(false),
            2 => Constant::Bool(true),
            3 => Constant::Int(self.u64()? as i64),
            4 => Constant::Float(f64::from_bits(self.u64()?)),
            5 => {
                let text: Arc<[u8]> = self.bytes()?.into();
                self.strings.push(Arc::clone(&text));
                Constant::Str(text)
            }
            6 => {
                let number = self.u32()? as usize;
                let text = self.strings.get(number).ok_or(UndumpError::Corrupted)?;
                Constant::Str(Arc::clone(text))
            }
            _ => return Err(UndumpError::Corrupted),
        })
    }

    fn upvalue(&mut self) -> Result<UpvalueDesc, UndumpError> {
        let flags = self.u8()?;
        Ok(UpvalueDesc {
            index: self.u8()?,
            name: self.bytes()?.into(),
            in_stack: flags & UPVALUE_IN_STACK != 0,
            by_value: flags & UPVALUE_BY_VALUE != 0,
        })
    }

    fn local(&mut self) -> Result<LocalVar, UndumpError> {
        Ok(LocalVar {
            name: self.bytes()?.into(),
            start_pc: self.u32()?,
            end_pc: self.u32()?,
        })
    }
}
