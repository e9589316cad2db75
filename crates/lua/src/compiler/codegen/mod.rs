//! The code generator: the syntax tree to register code.
//!
//! Expressions are generated in two steps, as in the reference: an [`Exp`](operand::Exp) describes where a value is or
//! will be, and code that puts it somewhere is made only when it is known where it is wanted. That is what lets
//! constants become operands, comparisons become jumps, and results go straight to their variable.
//!
//! **Invariants**
//! - local variables take registers in order of declaration; temporaries live above them, as a stack;
//! - native recursion follows the nesting of the source, which the parser limits; chains are loops;
//! - a jump is a `JMP` if it goes forward and a `LOOP` if it goes back. Until its target is known its offset field
//!   links it to the next jump of its list.

mod assign;
mod emit;
mod expression;
mod global;
mod jumps;
mod loops;
mod operand;
mod operator;
mod scope;
mod statement;

use super::ast::*;
use super::strings::{StrId, Strings};
use super::{Budget, Fail, Options, Place};
use crate::chunk::{Constant, FunctionCode, LocalVar, UpvalueDesc};
use crate::op::{Instr, Op};
use emit::ConstantKey;
use jumps::Jumps;
use std::collections::HashMap;
use std::sync::Arc;

/// A register number.
type Reg = u8;

/// Registers a function may use.
const MAX_REGISTERS: usize = 255;

/// Instructions a function may have: so many that every jump fits its 24 bits.
const MAX_CODE: usize = (1 << 23) - 1;

/// Generates the code of a whole program.
pub(crate) fn generate(
    ast: &Ast,
    strings: &Strings,
    source: &[u8],
    options: &Options,
    budget: &mut Budget,
) -> Result<Arc<FunctionCode>, Fail> {
    budget.spend(0, source.len() + ast.vars.len() + ast.labels.len() * 8)?;
    let mut generator = Generator {
        ast,
        strings,
        options,
        budget,
        source: source.into(),
        registers: vec![0; ast.vars.len()],
        label_pcs: vec![None; ast.labels.len()],
        label_jumps: vec![Jumps::NONE; ast.labels.len()],
        seen: Place {
            expressions: 0,
            separator: false,
        },
        line: 1,
        fun: Fun::default(),
    };
    generator.function(MAIN)
}

/// The function being generated.
#[derive(Default)]
struct Fun {
    code: Vec<Instr>,
    lines: Vec<u32>,
    constants: Vec<Constant>,
    constant_ids: HashMap<ConstantKey, u32>,
    children: Vec<Arc<FunctionCode>>,
    locals: Vec<LocalVar>,
    /// Variables in scope.
    active: Vec<ActiveVar>,
    loops: Vec<loops::Loop>,
    /// How many of the active variables are to be closed.
    to_close: usize,
    free_register: usize,
    max_stack: usize,
    /// Code before this may be jumped over or into: it must not be merged with what follows.
    barrier: usize,
    /// The function in the tree.
    id: Option<FuncId>,
}

/// A variable in scope.
#[derive(Clone, Copy)]
struct ActiveVar {
    var: VarId,
    /// Its entry in `locals`; compile-time constants have none.
    local: Option<u32>,
    /// Registers that the variables up to this one take.
    registers: usize,
}

struct Generator<'a, 'b, 'm> {
    ast: &'a Ast,
    strings: &'a Strings,
    options: &'a Options,
    budget: &'b mut Budget<'m>,
    source: Arc<[u8]>,
    /// The register of each variable, while it is in scope.
    registers: Vec<Reg>,
    label_pcs: Vec<Option<u32>>,
    /// Forward jumps to each label.
    label_jumps: Vec<Jumps>,
    /// How far the parser would be, for the message of a limit.
    seen: Place,
    /// Line of the last token that the reference would have consumed by now.
    line: u32,
    fun: Fun,
}

impl Generator<'_, '_, '_> {
    /// Generates one function and everything in it.
    fn function(&mut self, id: FuncId) -> Result<Arc<FunctionCode>, Fail> {
        let function = self.ast.function(id);
        self.budget.spend(1, std::mem::size_of::<FunctionCode>())?;
        let outer = std::mem::replace(
            &mut self.fun,
            Fun {
                id: Some(id),
                max_stack: 2,
                ..Fun::default()
            },
        );
        self.line = function.line;
        for var in self.ast.items(function.params) {
            self.reserve(1)?;
            self.activate(var)?;
        }
        if let Some(var) = function.vararg_table {
            let reg = self.reserve(1)?;
            match self.needs_vararg_table(function) {
                true => self.emit_abc(Op::PACKVARARG, reg, 0, 0).map(drop)?,
                false => self.emit_nil(reg, 1)?,
            }
            self.activate(var)?;
            // The function begins after this instruction, which nothing is merged with.
            self.label();
        }
        self.statements(function.body)?;
        self.line = function.return_line;
        self.emit_return(0, 0)?;
        self.leave_scope(0)?;
        self.finish_jumps()?;
        let upvalues = function.upvalues.iter();
        let upvalues: Box<[UpvalueDesc]> = upvalues.map(|u| self.upvalue(u)).collect();
        for upvalue in &upvalues {
            self.budget.spend(1, 64 + upvalue.name.len())?;
        }
        let made = std::mem::replace(&mut self.fun, outer);
        Ok(Arc::new(FunctionCode {
            code: made.code.into(),
            constants: made.constants.into(),
            children: made.children.into(),
            upvalues,
            num_params: function.params.len() as u8,
            is_vararg: function.is_vararg,
            dialect: self.options.dialect,
            max_stack: made.max_stack as u8,
            source: self.source.clone(),
            line_defined: function.line,
            last_line_defined: function.end_line,
            lines: made.lines.into(),
            locals: made.locals.into(),
        }))
    }

    /// Whether the function's extra arguments are to be in a table. The `arg` of 5.1 is one unless `...` is used; the
    /// named parameter of 5.5 if there is more to it than reading its fields.
    fn needs_vararg_table(&self, function: &Function) -> bool {
        match function.vararg_table.map(|var| self.ast.var(var)) {
            Some(var) if matches!(var.kind, VarKind::Vararg) => {
                function.vararg_escapes > 0 || var.captured
            }
            Some(_) => !function.uses_varargs,
            None => false,
        }
    }

    fn upvalue(&self, upvalue: &Upvalue) -> UpvalueDesc {
        let (in_stack, index) = match upvalue.source {
            UpvalueSource::Local if upvalue.var == ENV_VAR => (true, 0),
            UpvalueSource::Local => (true, self.registers[upvalue.var.0 as usize]),
            UpvalueSource::Upvalue(index) => (false, index),
        };
        let name = self.strings.get(self.ast.var(upvalue.var).name);
        UpvalueDesc {
            name: name.into(),
            in_stack,
            index,
            by_value: !self.by_reference(upvalue.var),
        }
    }

    /// Whether closures capture the variable by reference: only if its value may change after they are made.
    fn by_reference(&self, var: VarId) -> bool {
        if var == ENV_VAR && !self.options.dialect.has_env_variable() {
            // Each function has its own environment: a copy of its maker's.
            return false;
        }
        let var = self.ast.var(var);
        var.captured && (var.assigned || self.options.by_reference_captures)
    }

    /// The upvalues of the function being generated.
    fn upvalue_var(&self, index: u8) -> VarId {
        let function = self.ast.function(self.fun.id.unwrap_or(MAIN));
        function.upvalues[index as usize].var
    }

    fn limit(&self, what: &'static str) -> Fail {
        Fail::Limit {
            what,
            at: self.seen,
        }
    }

    fn text(&self, id: StrId) -> &[u8] {
        self.strings.get(id)
    }
}
