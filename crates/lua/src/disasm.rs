//! The disassembler: code as text, one line per instruction.
//!
//! **Invariant:** it prints what is there and assumes nothing about it: operands out of range are printed as numbers
//! without a comment.

use crate::chunk::{Chunk, Constant, FunctionCode};
use crate::compiler::chunk_id;
use crate::number;
use crate::op::{Format, Instr, Op};
use std::fmt::Write;

/// Longest string shown in a comment, in bytes.
const SHOWN_STRING: usize = 40;

/// Prints a chunk: its main function, then, depth first, the functions in it.
pub fn disassemble(chunk: &Chunk) -> String {
    let mut out = String::new();
    // An explicit stack, so that a chunk may nest as deep as it likes.
    let mut pending = vec![(&*chunk.main, "main".to_owned())];
    while let Some((code, path)) = pending.pop() {
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a string cannot fail.
        let _ = function(&mut out, code, &path);
        for (index, child) in code.children.iter().enumerate().rev() {
            pending.push((child, format!("{path}.{index}")));
        }
    }
    out
}

fn function(out: &mut String, code: &FunctionCode, path: &str) -> std::fmt::Result {
    let source = String::from_utf8_lossy(&chunk_id(&code.source)).into_owned();
    writeln!(
        out,
        "function {path} <{source}:{},{}>",
        code.line_defined, code.last_line_defined
    )?;
    let vararg = if code.is_vararg { "+" } else { "" };
    writeln!(
        out,
        "  {}{vararg} params, {} registers, {} upvalues, {} locals, {} constants, {} functions, {} instructions",
        code.num_params,
        code.max_stack,
        code.upvalues.len(),
        code.locals.len(),
        code.constants.len(),
        code.children.len(),
        code.code.len()
    )?;
    for (index, upvalue) in code.upvalues.iter().enumerate() {
        let from = if upvalue.in_stack { "R" } else { "Up" };
        let how = if upvalue.by_value {
            "value"
        } else {
            "reference"
        };
        let name = text(&upvalue.name);
        writeln!(
            out,
            "  Up[{index}] = {from}[{}] by {how}  ; {name}",
            upvalue.index
        )?;
    }
    for (index, constant) in code.constants.iter().enumerate() {
        writeln!(out, "  K[{index}] = {}", constant_text(constant))?;
    }
    for (index, local) in code.locals.iter().enumerate() {
        let name = text(&local.name);
        writeln!(
            out,
            "  local {index} = {name} [{}, {})",
            local.start_pc, local.end_pc
        )?;
    }
    for (pc, &instr) in code.code.iter().enumerate() {
        let line = code
            .line(pc)
            .map_or("-".to_owned(), |line| line.to_string());
        write!(
            out,
            "  {pc:>5} [{line:>4}] {:<10} {:<14}",
            instr.op().name(),
            operands(instr)
        )?;
        let comment = comment(code, pc, instr);
        if !comment.is_empty() {
            write!(out, " ; {comment}")?;
        }
        while out.ends_with(' ') {
            out.pop();
        }
        out.push('\n');
    }
    Ok(())
}

fn operands(instr: Instr) -> String {
    let signed_b = matches!(
        instr.op().condition(),
        Op::EQI | Op::LTI | Op::LEI | Op::GTI | Op::GEI
    );
    let signed_c = matches!(instr.op(), Op::ADDI | Op::SUBI);
    match instr.op().format() {
        Format::ABC if signed_b => format!("{} {} {}", instr.a(), instr.sb(), instr.c()),
        Format::ABC if signed_c => format!("{} {} {}", instr.a(), instr.b(), instr.sc()),
        Format::ABC => format!("{} {} {}", instr.a(), instr.b(), instr.c()),
        Format::ABx => format!("{} {}", instr.a(), instr.bx()),
        Format::AsBx => format!("{} {}", instr.a(), instr.sbx()),
        Format::J => format!("{}", instr.sj()),
        Format::Ax => format!("{}", instr.ax_value()),
    }
}

fn comment(code: &FunctionCode, pc: usize, instr: Instr) -> String {
    let constant = |index: usize| match code.constants.get(index) {
        Some(constant) => constant_text(constant),
        None => String::new(),
    };
    let upvalue = |index: usize| match code.upvalues.get(index) {
        Some(upvalue) => text(&upvalue.name),
        None => String::new(),
    };
    let to = |target: i64| format!("to {target}");
    let next = pc as i64 + 1;
    let (a, b, c) = (instr.a(), instr.b(), instr.c());
    match instr.op() {
        Op::LOADK => constant(instr.bx()),
        Op::LOADKX => match code.code.get(pc + 1) {
            Some(extra) => constant(extra.ax_value() as usize),
            None => String::new(),
        },
        Op::GETUPVAL | Op::GETUPBOX | Op::SETUPBOX => upvalue(b),
        Op::GETTABUP => format!("{} {}", upvalue(b), constant(c)),
        Op::GETFIELD | Op::SELF => constant(c),
        Op::SETTABUP => format!("{} {}", upvalue(a), constant(b)),
        Op::SETTABUPK => format!("{} {} {}", upvalue(a), constant(b), constant(c)),
        Op::SETFIELD => constant(b),
        Op::SETFIELDK => format!("{} {}", constant(b), constant(c)),
        Op::SETTABLEK | Op::SETIK => constant(c),
        Op::ADDK | Op::SUBK | Op::MULK | Op::MODK | Op::POWK | Op::DIVK | Op::IDIVK => constant(c),
        Op::BANDK | Op::BORK | Op::BXORK | Op::SHLK | Op::SHRK => constant(c),
        Op::KADD | Op::KSUB | Op::KMUL | Op::KDIV | Op::EQK | Op::NEK => constant(b),
        Op::JMP | Op::LOOP => to(next + i64::from(instr.sj())),
        Op::FORPREP | Op::TFORPREP => to(next + instr.bx() as i64),
        Op::FORLOOP | Op::TFORLOOP => to(next - instr.bx() as i64),
        Op::LFALSESKIP => to(next + 1),
        Op::CALL | Op::TAILCALL => {
            let count = |n: usize, less: usize| match n.checked_sub(less) {
                _ if n == 0 => "all".to_owned(),
                Some(count) => count.to_string(),
                None => "?".to_owned(),
            };
            match instr.op() {
                Op::CALL => format!("{} in, {} out", count(b, 1), count(c, 1)),
                _ => format!("{} in", count(b, 1)),
            }
        }
        Op::CLOSURE => match code.children.get(instr.bx()) {
            Some(child) => format!("line {}", child.line_defined),
            None => String::new(),
        },
        _ => String::new(),
    }
}

fn constant_text(constant: &Constant) -> String {
    let mut out = Vec::new();
    match constant {
        Constant::Nil => return "nil".into(),
        Constant::Bool(value) => return value.to_string(),
        Constant::Int(value) => number::format_int(*value, &mut out),
        Constant::Float(value) => number::format_float(*value, &mut out),
        Constant::Str(value) => return format!("\"{}\"", text(value)),
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Bytes as printable text, cut if long.
fn text(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(SHOWN_STRING)];
    let mut out = shown.escape_ascii().to_string();
    if shown.len() < bytes.len() {
        out.push_str("...");
    }
    out
}
