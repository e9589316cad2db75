//! Checks that code keeps the invariants of [`crate::op`], which the interpreter relies on without looking.
//!
//! The compiler's output is checked in debug builds and tests; code read from a binary chunk always is.
//!
//! **Invariant:** `Ok` means that running the code touches only its own registers, constants, upvalues and children,
//! stays within its instructions, and uses "up to top" only right after an instruction that set the top. It does not
//! mean that the code closes what it should: binary chunks are for trusted callers.

use crate::chunk::{Constant, FunctionCode, UpvalueDesc};
use crate::op::{Instr, Op};
use crate::string::MAX_INTERNED;

/// Checks a function and every function in it.
pub fn verify(code: &FunctionCode) -> Result<(), String> {
    verify_nested(code, 0)
}

fn verify_nested(code: &FunctionCode, depth: usize) -> Result<(), String> {
    // The parser needs a level for the statement and one for the expression of a function, so it never gets there.
    if depth > super::MAX_DEPTH {
        return Err("functions nest too deep".into());
    }
    Checker {
        code,
        targets: vec![false; code.code.len()],
    }
    .check()?;
    for child in &code.children {
        check_captures(code, &child.upvalues)?;
        verify_nested(child, depth + 1)?;
    }
    Ok(())
}

fn check_captures(parent: &FunctionCode, upvalues: &[UpvalueDesc]) -> Result<(), String> {
    for upvalue in upvalues {
        let index = upvalue.index as usize;
        let fine = if upvalue.in_stack {
            upvalue.index < parent.max_stack
        } else {
            // A copy of a value and a shared variable are different things; one is not passed on as the other.
            matches!(parent.upvalues.get(index), Some(outer) if outer.by_value == upvalue.by_value)
        };
        if !fine {
            return Err(format!("bad capture of {index}"));
        }
    }
    Ok(())
}

/// Instructions whose result can be an integer though no operand is one.
fn makes_integers(op: Op) -> bool {
    use Op::*;
    matches!(
        op,
        LOADI | LEN | BNOT | BAND | BOR | BXOR | SHL | SHR | BANDK | BORK | BXORK | SHLK | SHRK
    )
}

struct Checker<'a> {
    code: &'a FunctionCode,
    /// Which instructions can follow another than the one before them.
    targets: Vec<bool>,
}

impl Checker<'_> {
    fn check(&mut self) -> Result<(), String> {
        self.check_header()?;
        for pc in 0..self.code.code.len() {
            let instr = self.code.code[pc];
            let context = |problem| format!("{} at {pc}: {problem}", instr.op().name());
            if self.without_integers() && makes_integers(instr.op()) {
                return Err(context("no integers in this version".into()));
            }
            self.check_operands(instr).map_err(context)?;
            self.check_flow(pc, instr).map_err(context)?;
        }
        // Only now are all targets known.
        for pc in 0..self.code.code.len() {
            let instr = self.code.code[pc];
            self.check_neighbours(pc, instr)
                .map_err(|problem| format!("{} at {pc}: {problem}", instr.op().name()))?;
        }
        Ok(())
    }

    /// Whether the code's version has floats only, so that nothing in it may make an integer.
    fn without_integers(&self) -> bool {
        !self.code.dialect.has_integers()
    }

    fn check_header(&self) -> Result<(), String> {
        let code = self.code;
        let is_integer = |c: &Constant| matches!(c, Constant::Int(_));
        if self.without_integers() && code.constants.iter().any(is_integer) {
            return Err("integer constant in a version without integers".into());
        }
        let ends = matches!(
            code.code.last().map(|i| i.op()),
            Some(Op::RETURN | Op::RETURN0 | Op::RETURN1)
        );
        if !ends {
            return Err("code does not end in a return".into());
        }
        if code.max_stack < 2 || code.num_params > code.max_stack {
            return Err("bad register count".into());
        }
        if !code.lines.is_empty() && code.lines.len() != code.code.len() {
            return Err("bad line table".into());
        }
        if code.upvalues.len() > super::resolve::MAX_UPVALUES {
            return Err("too many upvalues".into());
        }
        Ok(())
    }

    fn register(&self, index: usize) -> Result<(), String> {
        if index < self.code.max_stack as usize {
            Ok(())
        } else {
            Err(format!("register {index} is out of range"))
        }
    }

    fn registers(&self, list: &[usize]) -> Result<(), String> {
        list.iter().try_for_each(|&reg| self.register(reg))
    }

    fn constant(&self, index: usize, fits: fn(&Constant) -> bool) -> Result<(), String> {
        match self.code.constants.get(index) {
            Some(constant) if fits(constant) => Ok(()),
            Some(_) => Err(format!("constant {index} has the wrong type")),
            None => Err(format!("constant {index} is out of range")),
        }
    }

    fn upvalue(&self, index: usize, by_value: bool) -> Result<(), String> {
        match self.code.upvalues.get(index) {
            Some(upvalue) if upvalue.by_value == by_value => Ok(()),
            Some(_) => Err(format!("upvalue {index} is captured the other way")),
            None => Err(format!("upvalue {index} is out of range")),
        }
    }

    fn check_operands(&self, instr: Instr) -> Result<(), String> {
        let (a, b, c) = (instr.a(), instr.b(), instr.c());
        let any = |_: &Constant| true;
        let string = |k: &Constant| matches!(k, Constant::Str(_));
        let name = |k: &Constant| matches!(k, Constant::Str(text) if text.len() <= MAX_INTERNED);
        let number = |k: &Constant| matches!(k, Constant::Int(_) | Constant::Float(_));
        let integer = |k: &Constant| matches!(k, Constant::Int(_));
        // Number of values from `A` on, for an operand that counts them from 1 (0: an open number).
        let run = |count: usize| a + count.max(1) - 1;
        if instr.op().is_conditional() && (c > 1 || instr.with_polarity() != instr) {
            return Err("a condition with the wrong polarity".into());
        }
        match instr.op().condition() {
            Op::MOVE | Op::UNM | Op::BNOT | Op::NOT | Op::LEN | Op::LENF => self.registers(&[a, b]),
            Op::LOADI | Op::LOADF | Op::LOADKX => self.register(a),
            Op::LOADFALSE | Op::LFALSESKIP | Op::LOADTRUE => self.register(a),
            Op::LOADK => self.register(a).and(self.constant(instr.bx(), any)),
            Op::LOADNIL => self.register(a + b),
            Op::GETUPVAL => self.register(a).and(self.upvalue(b, true)),
            Op::GETUPBOX | Op::SETUPBOX => self.register(a).and(self.upvalue(b, false)),
            Op::GETTABUP => {
                self.register(a)?;
                self.upvalue(b, true).and(self.constant(c, name))
            }
            Op::GETTABLE | Op::SETTABLE => self.registers(&[a, b, c]),
            Op::GETI => self.registers(&[a, b]),
            Op::SETI => self.registers(&[a, c]),
            Op::GETFIELD => self.registers(&[a, b]).and(self.constant(c, name)),
            Op::SELF => self.registers(&[a + 1, b]).and(self.constant(c, name)),
            Op::SETTABUP => {
                self.upvalue(a, true)?;
                self.constant(b, name).and(self.register(c))
            }
            Op::SETTABUPK => {
                self.upvalue(a, true)?;
                self.constant(b, name).and(self.constant(c, any))
            }
            Op::SETTABLEK => self.registers(&[a, b]).and(self.constant(c, any)),
            Op::SETIK => self.register(a).and(self.constant(c, any)),
            Op::SETFIELD => self.registers(&[a, c]).and(self.constant(b, name)),
            Op::SETFIELDK => {
                self.register(a)?;
                self.constant(b, name).and(self.constant(c, any))
            }
            Op::NEWTABLE if b > 33 => Err("table size out of range".into()),
            Op::NEWTABLE | Op::CLOSE | Op::TBC => self.register(a),
            Op::ADDI | Op::SUBI => self.registers(&[a, b]),
            Op::ADDK | Op::SUBK | Op::MULK | Op::MODK | Op::POWK | Op::DIVK | Op::IDIVK => {
                self.registers(&[a, b]).and(self.constant(c, number))
            }
            Op::BANDK | Op::BORK | Op::BXORK | Op::SHLK | Op::SHRK => {
                self.registers(&[a, b]).and(self.constant(c, integer))
            }
            Op::KADD | Op::KSUB | Op::KMUL | Op::KDIV => {
                self.registers(&[a, c]).and(self.constant(b, number))
            }
            Op::ADD | Op::SUB | Op::MUL | Op::MOD | Op::MODF | Op::POW | Op::DIV | Op::IDIV => {
                self.registers(&[a, b, c])
            }
            Op::BAND | Op::BOR | Op::BXOR | Op::SHL | Op::SHR => self.registers(&[a, b, c]),
            Op::CONCAT if b < 2 => Err("too few operands".into()),
            Op::CONCAT => self.register(a + b - 1),
            Op::JMP | Op::LOOP | Op::RETURN0 | Op::EXTRAARG => Ok(()),
            Op::EQ | Op::LT | Op::LE | Op::TESTSET => self.registers(&[a, b]),
            Op::EQK => self.register(a).and(self.constant(b, any)),
            Op::EQI | Op::LTI | Op::LEI | Op::GTI | Op::GEI | Op::TEST => self.register(a),
            Op::NE | Op::NLT | Op::NLE | Op::NEK | Op::NEI | Op::NTEST | Op::NTESTSET => {
                unreachable!("of the two opcodes of a condition, this is the other")
            }
            Op::NLTI | Op::NLEI | Op::NGTI | Op::NGEI => {
                unreachable!("as above")
            }
            Op::CALL => self.registers(&[a, run(b), run(c.saturating_sub(1))]),
            Op::TAILCALL => self.registers(&[a, run(b)]),
            Op::RETURN => self.registers(&[a, run(b.saturating_sub(1))]),
            Op::RETURN1 => self.register(a),
            Op::FORPREP | Op::FORLOOP => self.register(a + 3),
            Op::TFORPREP => self.register(a + 3),
            // The iterator is called in registers of its own.
            Op::TFORCALL => self.registers(&[a + 6, a + 3 + c]),
            Op::TFORLOOP => self.register(a + 4),
            Op::SETLIST => self.register(a + b),
            Op::CLOSURE if instr.bx() >= self.code.children.len() => {
                Err("child is out of range".into())
            }
            Op::CLOSURE => self.register(a),
            Op::VARARG | Op::PACKVARARG | Op::UNPACKVARARG | Op::GETVARG
                if !self.code.is_vararg =>
            {
                Err("not in a vararg function".into())
            }
            Op::PACKVARARG => self.register(a),
            Op::VARARG => self.register(run(c.saturating_sub(1))),
            Op::UNPACKVARARG => self.registers(&[run(c.saturating_sub(1)), b]),
            Op::GETVARG => self.registers(&[a, c]),
            Op::CHECKNEW if instr.bx() == 0 => self.register(a),
            Op::CHECKNEW => {
                self.register(a)?;
                self.constant(instr.bx() - 1, string)
            }
        }
    }

    /// Notes where the instruction can go besides on.
    fn check_flow(&mut self, pc: usize, instr: Instr) -> Result<(), String> {
        let pc = pc as i64;
        let target = match instr.op() {
            Op::JMP if instr.sj() < 0 => return Err("jumps back".into()),
            Op::LOOP if instr.sj() >= 0 => return Err("jumps forward".into()),
            Op::JMP | Op::LOOP => pc + 1 + i64::from(instr.sj()),
            Op::FORPREP | Op::TFORPREP => pc + 1 + instr.bx() as i64,
            Op::FORLOOP | Op::TFORLOOP if instr.bx() == 0 => return Err("does not loop".into()),
            Op::FORLOOP | Op::TFORLOOP => pc + 1 - instr.bx() as i64,
            Op::LFALSESKIP => pc + 2,
            op if op.is_conditional() => pc + 2,
            _ => return Ok(()),
        };
        match usize::try_from(target) {
            Ok(target) if target < self.targets.len() => {
                self.targets[target] = true;
                Ok(())
            }
            _ => Err(format!("goes to {target}")),
        }
    }

    /// Checks what must stand together.
    fn check_neighbours(&self, pc: usize, instr: Instr) -> Result<(), String> {
        let at = |pc: usize| self.code.code.get(pc).copied();
        let before = pc.checked_sub(1).and_then(at);
        let after = at(pc + 1);
        let op = instr.op();
        let is = |other: Option<Instr>, op: Op| other.is_some_and(|other| other.op() == op);
        if op.is_conditional() && !is(after, Op::JMP) && !is(after, Op::LOOP) {
            return Err("no jump follows".into());
        }
        match op {
            Op::LOADKX => match after {
                Some(extra) if extra.op() == Op::EXTRAARG => {
                    self.constant(extra.ax_value() as usize, |_| true)?;
                }
                _ => return Err("no operand follows".into()),
            },
            Op::SETLIST if !is(after, Op::EXTRAARG) => return Err("no operand follows".into()),
            Op::EXTRAARG => {
                let wanted = is(before, Op::LOADKX) || is(before, Op::SETLIST);
                if !wanted || self.targets[pc] {
                    return Err("not after its instruction".into());
                }
            }
            Op::TAILCALL => match after {
                Some(next)
                    if next.op() == Op::RETURN
                        && (next.a(), next.b(), next.c()) == (instr.a(), 0, instr.c()) => {}
                _ => return Err("its return does not follow".into()),
            },
            Op::TFORCALL => match after {
                Some(next) if next.op() == Op::TFORLOOP && next.a() == instr.a() => {}
                _ => return Err("its loop does not follow".into()),
            },
            Op::FORLOOP | Op::TFORLOOP => self.check_loop(pc, instr)?,
            _ => {}
        }
        if sets_top(instr) && !matches!(after, Some(next) if uses_top(next)) {
            return Err("the open results are not used".into());
        }
        if uses_top(instr) {
            let fine = match before {
                Some(open) if sets_top(open) => match op {
                    Op::RETURN => instr.a() <= open.a(),
                    _ => instr.a() < open.a(),
                },
                Some(call) => op == Op::RETURN && call.op() == Op::TAILCALL,
                None => false,
            };
            if !fine || self.targets[pc] {
                return Err("the top is not set".into());
            }
        }
        Ok(())
    }

    /// A loop goes back to the instruction after the one that prepared it.
    fn check_loop(&self, pc: usize, instr: Instr) -> Result<(), String> {
        let wanted = match instr.op() {
            Op::FORLOOP => Op::FORPREP,
            _ => Op::TFORPREP,
        };
        let start = (pc + 1).checked_sub(instr.bx());
        let prepare = start.and_then(|s| s.checked_sub(1));
        match prepare.map(|at| (at, self.code.code[at])) {
            Some((at, prepare))
                if prepare.op() == wanted
                    && prepare.a() == instr.a()
                    && at + 1 + prepare.bx()
                        == (if wanted == Op::FORPREP {
                            pc + 1
                        } else {
                            pc - 1
                        }) =>
            {
                Ok(())
            }
            _ => Err("it was not prepared".into()),
        }
    }
}

/// Whether the instruction leaves an open number of values.
fn sets_top(instr: Instr) -> bool {
    matches!(instr.op(), Op::CALL | Op::VARARG | Op::UNPACKVARARG) && instr.c() == 0
}

/// Whether the instruction takes an open number of values.
fn uses_top(instr: Instr) -> bool {
    matches!(
        instr.op(),
        Op::CALL | Op::TAILCALL | Op::RETURN | Op::SETLIST
    ) && instr.b() == 0
}
