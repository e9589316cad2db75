//! Names for values: which variable, field or constant an operand came from, found in the bytecode.
//!
//! A register's name is that of the local variable that lives in it, or else of what the last instruction that set it
//! loaded. That instruction is found by reading the function from its start: an instruction that a forward jump may
//! skip cannot be trusted, since the jump's target is reached without it.
//!
//! **Invariant:** everything here is a function of the code and an instruction's index; it takes time linear in the
//! index for each register move it follows, and at most as many moves as there are registers.

use crate::chunk::{Constant, FunctionCode};
use crate::compiler::HIDDEN_ENVIRONMENT;
use crate::dialect::Dialect;
use crate::op::{Instr, Op};
use crate::string::as_c_string;

/// What a message says about a value or a function: a kind such as `local` or `method`, and a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Name<'a> {
    /// How the name was used.
    pub kind: &'static str,
    /// The name itself; not always UTF-8.
    pub name: &'a [u8],
}

/// The name of the environment variable behind global names.
const ENV: &[u8] = b"_ENV";
/// Stands for a name that is not known.
const UNKNOWN: &[u8] = b"?";

/// The name of upvalue `n`; `None` when stripped.
pub(crate) fn upvalue_name(code: &FunctionCode, n: usize) -> Option<&[u8]> {
    let name = &*code.upvalues.get(n)?.name;
    if name.is_empty() { None } else { Some(name) }
}

/// The name of the value in a register when the instruction at `pc` runs.
pub(crate) fn register_name(code: &FunctionCode, pc: usize, register: usize) -> Option<Name<'_>> {
    let (pc, instr) = match origin(code, pc, register) {
        Origin::Named(name) => return Some(name),
        Origin::Loaded(pc) => (pc, code.code[pc]),
        Origin::Unknown => return None,
    };
    let in_register = |r: usize| access_kind(origin_name(code, pc, r));
    match instr.op() {
        Op::GETTABUP => Some(Name {
            kind: access_kind(upvalue_name(code, instr.b())),
            name: constant_name(code, instr.c()).unwrap_or(UNKNOWN),
        }),
        Op::GETFIELD => Some(Name {
            kind: in_register(instr.b()),
            name: constant_name(code, instr.c()).unwrap_or(UNKNOWN),
        }),
        Op::GETTABLE => {
            let name = key_name(code, pc, instr.c());
            // A method whose name is too far among the constants for `SELF`: the name is in the function's register
            // and the object behind it.
            let method = code.dialect < Dialect::Lua55
                && instr.c() == instr.a()
                && instr.b() == instr.a() + 1
                && name != UNKNOWN;
            let kind = if method {
                "method"
            } else {
                in_register(instr.b())
            };
            Some(Name { kind, name })
        }
        Op::GETI => Some(Name {
            kind: "field",
            name: match code.dialect < Dialect::Lua54 {
                true => UNKNOWN,
                false => b"integer index",
            },
        }),
        Op::SELF => Some(Name {
            kind: "method",
            name: constant_name(code, instr.c()).unwrap_or(UNKNOWN),
        }),
        _ => None,
    }
}

/// The name of the function that the instruction at `pc` calls, be it by a call or through a metamethod.
pub(crate) fn called_name(code: &FunctionCode, pc: usize) -> Option<Name<'_>> {
    let instr = *code.code.get(pc)?;
    match instr.op() {
        Op::CALL | Op::TAILCALL => register_name(code, pc, instr.a()),
        Op::TFORCALL => Some(Name {
            kind: "for iterator",
            name: b"for iterator",
        }),
        op => metamethod_of(op).map(|event| Name {
            kind: "metamethod",
            name: match code.dialect < Dialect::Lua54 {
                true => event.as_bytes(),
                false => &event.as_bytes()[2..],
            },
        }),
    }
}

/// The metamethod that an instruction may call. From 5.4 on, messages leave its underscores out.
fn metamethod_of(op: Op) -> Option<&'static str> {
    Some(match op {
        Op::SELF | Op::GETTABUP | Op::GETTABLE | Op::GETI | Op::GETFIELD => "__index",
        Op::SETTABUP
        | Op::SETTABUPK
        | Op::SETTABLE
        | Op::SETTABLEK
        | Op::SETI
        | Op::SETIK
        | Op::SETFIELD
        | Op::SETFIELDK => "__newindex",
        Op::ADD | Op::ADDI | Op::ADDK | Op::KADD => "__add",
        Op::SUB | Op::SUBI | Op::SUBK | Op::KSUB => "__sub",
        Op::MUL | Op::MULK | Op::KMUL => "__mul",
        Op::DIV | Op::DIVK | Op::KDIV => "__div",
        Op::MOD | Op::MODK | Op::MODF => "__mod",
        Op::POW | Op::POWK => "__pow",
        Op::IDIV | Op::IDIVK => "__idiv",
        Op::BAND | Op::BANDK => "__band",
        Op::BOR | Op::BORK => "__bor",
        Op::BXOR | Op::BXORK => "__bxor",
        Op::SHL | Op::SHLK => "__shl",
        Op::SHR | Op::SHRK => "__shr",
        Op::UNM => "__unm",
        Op::BNOT => "__bnot",
        Op::LEN | Op::LENF => "__len",
        Op::CONCAT => "__concat",
        Op::EQ | Op::NE => "__eq",
        Op::LT | Op::LTI | Op::GTI | Op::NLT | Op::NLTI | Op::NGTI => "__lt",
        Op::LE | Op::LEI | Op::GEI | Op::NLE | Op::NLEI | Op::NGEI => "__le",
        Op::CLOSE | Op::RETURN => "__close",
        _ => return None,
    })
}

/// Where a register's value came from.
enum Origin<'a> {
    /// From a variable or a constant.
    Named(Name<'a>),
    /// From the instruction at this index, which is neither.
    Loaded(usize),
    /// From more than one place.
    Unknown,
}

/// Follows moves back to the variable, constant or other instruction that a register's value came from.
fn origin(code: &FunctionCode, mut pc: usize, mut register: usize) -> Origin<'_> {
    loop {
        if let Some(name) = code.local_name(register + 1, pc) {
            return Origin::Named(Name {
                kind: "local",
                name,
            });
        }
        let Some(setter) = last_setter(&code.code, pc, register) else {
            return Origin::Unknown;
        };
        let instr = code.code[setter];
        let constant = match instr.op() {
            // A move upwards copies a variable to a temporary; one downwards fills a variable that is not live yet.
            Op::MOVE if instr.b() < instr.a() => {
                (pc, register) = (setter, instr.b());
                continue;
            }
            Op::GETUPVAL | Op::GETUPBOX => {
                return Origin::Named(Name {
                    kind: "upvalue",
                    name: upvalue_name(code, instr.b()).unwrap_or(UNKNOWN),
                });
            }
            Op::LOADK => instr.bx(),
            Op::LOADKX => code
                .code
                .get(setter + 1)
                .map_or(usize::MAX, |word| word.ax_value() as usize),
            _ => return Origin::Loaded(setter),
        };
        return match constant_name(code, constant) {
            Some(name) => Origin::Named(Name {
                kind: "constant",
                name,
            }),
            None => Origin::Loaded(setter),
        };
    }
}

/// The name of the variable (not constant) in a register.
fn origin_name(code: &FunctionCode, pc: usize, register: usize) -> Option<&[u8]> {
    match origin(code, pc, register) {
        Origin::Named(n) if n.kind != "constant" => Some(n.name),
        _ => None,
    }
}

/// How to call a field of a table with this name.
fn access_kind(table: Option<&[u8]>) -> &'static str {
    if table == Some(ENV) || table == Some(HIDDEN_ENVIRONMENT) {
        "global"
    } else {
        "field"
    }
}

/// The string constant `n`, up to its first zero byte: names are C strings in the reference.
fn constant_name(code: &FunctionCode, n: usize) -> Option<&[u8]> {
    match code.constants.get(n) {
        Some(Constant::Str(name)) => Some(as_c_string(name)),
        _ => None,
    }
}

/// The name of a key in a register: it has one only if it is a constant.
fn key_name(code: &FunctionCode, pc: usize, register: usize) -> &[u8] {
    match origin(code, pc, register) {
        Origin::Named(n) if n.kind == "constant" => n.name,
        _ => UNKNOWN,
    }
}

/// The last instruction before `end` that set a register, if it is certain to have been executed.
fn last_setter(code: &[Instr], end: usize, register: usize) -> Option<usize> {
    let mut setter = None;
    // Whatever is before this index may have been jumped over.
    let mut conditional_until = 0;
    for (pc, instr) in code.iter().enumerate().take(end) {
        let a = instr.a();
        let sets = match instr.op() {
            Op::JMP | Op::LOOP => {
                let target = pc as i64 + 1 + instr.sj() as i64;
                if target <= end as i64 && target > conditional_until as i64 {
                    conditional_until = target as usize;
                }
                false
            }
            Op::LOADNIL => (a..=a + instr.b()).contains(&register),
            Op::TFORCALL => register >= a + 2,
            Op::CALL | Op::TAILCALL => register >= a,
            Op::VARARG | Op::UNPACKVARARG => {
                register >= a && (instr.c() == 0 || register < a + instr.c() - 1)
            }
            Op::SELF => register == a || register == a + 1,
            op => op.sets_a() && register == a,
        };
        if sets {
            setter = if pc < conditional_until {
                None
            } else {
                Some(pc)
            };
        }
    }
    // What `SELF` puts behind its function is the object: a copy that has no name of its own.
    setter.filter(|pc| code[*pc].op() != Op::SELF || code[*pc].a() == register)
}
