//! Compiled code: what the compiler makes, the disassembler prints and every VM shares.
//!
//! **Invariant:** a chunk is immutable, `Send + Sync`, and holds no pointer into any VM's heap.
//! A VM keeps its own constants and caches for a function in side arrays (`function::Proto`)
//! that it makes when it first runs the function, so a thousand VMs share one copy of the code.

use crate::dialect::Dialect;
use crate::op::Instr;
use std::sync::Arc;

/// A compiled source text: its main function and everything nested in it.
#[derive(Debug)]
pub struct Chunk {
    /// The main function. It is vararg, and its upvalue 0 is its environment (`_ENV`).
    pub main: Arc<FunctionCode>,
}

impl Chunk {
    /// The version of the language it is written in; VMs of others refuse it.
    pub fn dialect(&self) -> Dialect {
        self.main.dialect
    }
}

/// The code of one function.
#[derive(Debug)]
pub struct FunctionCode {
    /// The instructions; never empty, ends in a `RETURN*`.
    pub code: Box<[Instr]>,
    /// The constants that instructions name by index.
    pub constants: Box<[Constant]>,
    /// The functions written inside this one, in `CLOSURE` order.
    pub children: Box<[Arc<FunctionCode>]>,
    /// What to capture when a closure is made.
    pub upvalues: Box<[UpvalueDesc]>,
    /// Number of fixed parameters.
    pub num_params: u8,
    /// Whether the function takes `...`.
    pub is_vararg: bool,
    /// The version of the language it is written in.
    pub dialect: Dialect,
    /// Registers the function needs, from 2 to 255.
    pub max_stack: u8,
    /// The chunk name as `load` was given it (`@file`, `=name`, or the source text itself).
    pub source: Arc<[u8]>,
    /// Line of the `function` keyword; 0 in a main function.
    pub line_defined: u32,
    /// Line of the closing `end`; in a main function the last line is not recorded (0).
    pub last_line_defined: u32,
    /// Line of each instruction, parallel to `code`; empty when stripped. 0: the instruction belongs to the next one
    /// that has a line.
    pub lines: Box<[u32]>,
    /// Names and live ranges of local variables, in order of `start_pc`; empty when stripped.
    pub locals: Box<[LocalVar]>,
}

/// A constant in a chunk.
#[derive(Clone, Debug, PartialEq)]
pub enum Constant {
    /// `nil`
    Nil,
    /// `false` or `true`
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float (compared by bits when constants are shared, so that -0.0 and NaN survive).
    Float(f64),
    /// A string; equal ones of a chunk share it.
    Str(Arc<[u8]>),
}

/// How a closure captures one upvalue.
#[derive(Clone, Debug, PartialEq)]
pub struct UpvalueDesc {
    /// The variable's name; empty when stripped.
    pub name: Box<[u8]>,
    /// True: captured from the enclosing function's register `index`; false: from its upvalue `index`.
    pub in_stack: bool,
    /// Register or upvalue index in the enclosing function.
    pub index: u8,
    /// True: the variable is never assigned after its declaration, so its value is copied into the closure
    /// (`GETUPVAL`); false: the closure holds a reference (`GETUPBOX`, `SETUPBOX`).
    pub by_value: bool,
}

/// A local variable's name and the instructions over which it is live (`start_pc <= pc < end_pc`).
#[derive(Clone, Debug, PartialEq)]
pub struct LocalVar {
    /// The name; compiler temporaries are `(for state)` and the like.
    pub name: Box<[u8]>,
    /// First instruction at which the variable is live.
    pub start_pc: u32,
    /// First instruction at which it is dead.
    pub end_pc: u32,
}

impl FunctionCode {
    /// The source line of the instruction at `pc`; `None` when stripped.
    pub fn line(&self, pc: usize) -> Option<u32> {
        self.lines
            .get(pc..)?
            .iter()
            .copied()
            .find(|line| *line != 0)
    }

    /// Whether the instruction at `pc` is a part of the next one, as far as a script that looks at lines can see.
    pub(crate) fn belongs_to_next(&self, pc: usize) -> bool {
        self.lines.get(pc) == Some(&0)
    }

    /// How many registers hold variables that are live at `pc`; `None` when stripped.
    pub(crate) fn live_registers(&self, pc: usize) -> Option<usize> {
        if self.lines.is_empty() {
            return None;
        }
        let live = |l: &&LocalVar| l.start_pc as usize <= pc && pc < l.end_pc as usize;
        Some(
            self.locals
                .iter()
                .filter(live)
                .count()
                .max(self.num_params as usize),
        )
    }

    /// The name of the `n`-th (from 1) local variable live at `pc`: the variable of register `n - 1`.
    pub fn local_name(&self, mut n: usize, pc: usize) -> Option<&[u8]> {
        for local in &self.locals {
            if local.start_pc as usize > pc {
                break;
            }
            if pc < local.end_pc as usize {
                n -= 1;
                if n == 0 {
                    return Some(&local.name);
                }
            }
        }
        None
    }
}

const _: () = {
    const fn shared_between_threads<T: Send + Sync>() {}
    shared_between_threads::<Chunk>();
};
