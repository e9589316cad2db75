//! Names, lines and levels: what error messages and tracebacks say about the code that runs.
//!
//! | file | what |
//! |---|---|
//! | this one | levels, positions, and the errors that name an operand |
//! | [`mod@names`] | which variable or field a register's value came from |
//! | [`mod@traceback`] | function names and tracebacks |
//!
//! **Invariant:** nothing here changes what a script can see or runs Lua; everything is derived from frames, saved
//! program counters and the chunk's debug information, and says less when that was stripped. Work that grows with the
//! code or the stack is charged as fuel.

pub(crate) mod names;
pub(crate) mod traceback;

use super::{Event, NO_NATIVE, Vm};
use crate::chunk::FunctionCode;
use crate::dialect::Dialect;
use crate::native::Thrown;
use crate::op::{Instr, Op};
use crate::thread::{Frame, Thread, frame_flags};
use crate::value::Val;
use names::Name;
use traceback::frame_code;

/// Where an instruction's operand comes from, for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operand {
    /// A register of the running function.
    Register(usize),
    /// A constant of the running function.
    Constant(usize),
    /// An upvalue of the running function.
    Upvalue(usize),
    /// Not a variable.
    None,
}

/// A function that runs or waits, as `debug.getinfo` counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Activation {
    /// Index of its frame; `None` for the running native, which has none yet.
    pub frame: Option<usize>,
    /// Stack index of its function.
    pub func: usize,
}

impl Vm {
    /// The activations of a coroutine, innermost first: the running native, if one runs, then the frames.
    ///
    /// Frames that only exist for our own bookkeeping (running a finalizer, closing a coroutine) do not count.
    pub(crate) fn activations<'t>(
        &self,
        thread: &'t Thread,
    ) -> impl Iterator<Item = Activation> + use<'t> {
        let frames = thread.frames();
        let running = std::ptr::eq(thread, self.current) && self.native != NO_NATIVE;
        let framed = frames
            .last()
            .is_some_and(|f| f.is_native() && f.func == self.native);
        let native = (running && !framed).then_some(Activation {
            frame: None,
            func: self.native as usize,
        });
        let visible = frames.iter().enumerate().rev().filter(|(_, f)| {
            !f.is_native()
                || f.flags & (frame_flags::FINALIZER | frame_flags::CLOSE_THREAD) == 0
                    && !is_hidden(thread, f)
        });
        native.into_iter().chain(visible.map(|(i, f)| Activation {
            frame: Some(i),
            func: f.func as usize,
        }))
    }

    /// The activation at a level: 0 is the function that runs (the native, if one does).
    pub(crate) fn level(&self, thread: &Thread, level: usize) -> Option<Activation> {
        self.activations(thread).nth(level)
    }

    /// The Lua frame of an activation; `None` for natives.
    pub(crate) fn lua_frame<'t>(
        &self,
        thread: &'t Thread,
        activation: Activation,
    ) -> Option<&'t Frame> {
        activation
            .frame
            .map(|i| &thread.frames()[i])
            .filter(|f| !f.is_native())
    }

    /// The index of the instruction that the Lua frame `i` is at.
    pub(crate) fn instruction_index(&self, thread: &Thread, i: usize) -> usize {
        let frames = thread.frames();
        let frame = &frames[i];
        let Some(closure) = thread.get(frame.func as usize).as_lua_closure() else {
            return 0;
        };
        let p = closure.proto();
        // An instruction that closes variables runs again after each of them: the saved counter stays at it.
        let closing = frames.get(i + 1).is_some_and(|above| {
            above.flags & (frame_flags::HOOK | frame_flags::TO_NATIVE) == frame_flags::CLOSER
        });
        let saved = (frame.pc as usize - p.code as usize) / size_of::<Instr>();
        if closing {
            saved
        } else {
            saved.saturating_sub(1)
        }
    }

    /// The line that an activation is at; `None` for natives and stripped code.
    pub(crate) fn current_line(&self, thread: &Thread, activation: Activation) -> Option<u32> {
        self.lua_frame(thread, activation)?;
        let code = frame_code(thread, activation.func)?;
        code.line(self.instruction_index(thread, activation.frame?))
    }

    /// At a safe point (the start of a function or the end of a loop's turn), only declared variables are live in the
    /// Lua frame on top: what a condition or a call left in the other registers would keep objects alive.
    pub(crate) fn forget_dead_registers(&mut self) {
        let mut thread = self.current_gc();
        let Some(frame) = thread.frames().last().copied().filter(|f| !f.is_native()) else {
            return;
        };
        let Some(code) = frame_code(&thread, frame.func as usize) else {
            return;
        };
        if code.lines.is_empty() {
            return; // stripped: which registers are variables is not known
        }
        let pc = (frame.pc as usize - code.code.as_ptr() as usize) / size_of::<Instr>();
        let declared = code
            .locals
            .iter()
            .take_while(|local| local.start_pc as usize <= pc);
        let live = declared.filter(|local| pc < local.end_pc as usize).count();
        let base = frame.base as usize;
        let end = (base + code.max_stack as usize).min(thread.stack_size as usize);
        for i in base + live..end {
            thread.set(i, Val::NIL);
        }
    }

    /// `"chunk:line: "` of the Lua function at a level; empty if it is not one. Level 0 is where the interpreter itself
    /// complains, and says so even if the line is not known.
    pub(crate) fn where_is(&self, level: usize) -> Vec<u8> {
        let thread = self.thread();
        let Some(activation) = self.level(thread, level) else {
            return Vec::new();
        };
        let Some(code) = frame_code(thread, activation.func) else {
            return Vec::new();
        };
        let line = self.current_line(thread, activation);
        if line.is_none() && level > 0 {
            return Vec::new();
        }
        if line.is_none() && self.dialect >= Dialect::Lua55 {
            return b"?:?: ".to_vec();
        }
        position(code, line)
    }

    /// "bad argument #i to 'name' (message)"; arguments count from 0 here, from 1 in the message.
    #[cold]
    pub(crate) fn arg_error(&mut self, i: usize, message: &[u8]) -> Thrown {
        let mut number = i + 1;
        let thread = self.current_gc();
        let mut text = self.where_is(1);
        let Some(activation) = self.level(&thread, 0) else {
            text.extend_from_slice(format!("bad argument #{number} (").as_bytes());
            return self.throw_pieces(text, &[message, b")"]);
        };
        self.charge_for_names(&thread);
        let called = self.call_name(&thread, activation);
        let extra = self.extra_arguments(&thread, activation) as usize;
        let argument = match number <= extra {
            true => "extra argument",
            false => "argument",
        };
        if argument == "argument" {
            number -= extra;
        }
        if let Some(Name {
            kind: "method",
            name,
        }) = called
            && argument == "argument"
        {
            // The object in front does not count.
            number -= 1;
            if number == 0 {
                let pieces: &[&[u8]] = &[b"calling '", name, b"' on bad self (", message, b")"];
                return self.throw_pieces(text, pieces);
            }
        }
        let name = match called {
            Some(called) => called.name.to_vec(),
            // 5.1 does not look for functions among the loaded modules.
            None if self.dialect < Dialect::Lua52 => b"?".to_vec(),
            None => self
                .module_name(thread.get(activation.func))
                .unwrap_or_else(|| b"?".to_vec()),
        };
        text.extend_from_slice(format!("bad {argument} #{number} to '").as_bytes());
        self.throw_pieces(text, &[&name, b"' (", message, b")"])
    }

    fn throw_pieces(&mut self, mut text: Vec<u8>, pieces: &[&[u8]]) -> Thrown {
        for piece in pieces {
            self.heap.spend((piece.len() / 16) as i64);
            text.extend_from_slice(piece);
        }
        self.throw_bytes(&text)
    }

    /// Finding a name reads the code in front of an instruction.
    fn charge_for_names(&mut self, thread: &Thread) {
        if let Some(i) = thread.frames().len().checked_sub(1) {
            let read = self.instruction_index(thread, i);
            self.heap.spend((read / 8) as i64);
        }
    }

    /// How a message describes an operand of the running function: `" (local 'x')"`, or nothing.
    pub(crate) fn describe(&mut self, operand: Operand) -> Vec<u8> {
        let thread = self.current_gc();
        let Some(i) = thread.frames().len().checked_sub(1) else {
            return Vec::new();
        };
        let frame = &thread.frames()[i];
        if frame.is_native() {
            return Vec::new();
        }
        let Some(code) = frame_code(&thread, frame.func as usize) else {
            return Vec::new();
        };
        self.charge_for_names(&thread);
        let pc = self.instruction_index(&thread, i);
        let name = match operand {
            Operand::Register(r) => names::register_name(code, pc, r),
            Operand::Upvalue(n) => Some(Name {
                kind: "upvalue",
                name: names::upvalue_name(code, n).unwrap_or(b"?"),
            }),
            Operand::Constant(_) | Operand::None => None,
        };
        name.map_or_else(Vec::new, |name| self.described(name))
    }

    /// A name as this dialect's messages say it: `" (global 'x')"`, or before 5.3 `"global 'x'"`.
    fn described(&self, name: Name<'_>) -> Vec<u8> {
        if self.dialect >= Dialect::Lua53 {
            return described(name);
        }
        if name.kind == "constant" && self.dialect < Dialect::Lua52 {
            return Vec::new();
        }
        let name = Name {
            name: if name.name == b"integer index" {
                b"?"
            } else {
                name.name
            },
            ..name
        };
        let text = described(name);
        text[2..text.len() - 1].to_vec()
    }

    /// "attempt to {what} a nil value (local 'x')"; before 5.3 "attempt to {what} local 'x' (a nil value)".
    #[cold]
    pub(crate) fn operand_error(&mut self, what: &str, v: Val, operand: Operand) -> Thrown {
        if operand != Operand::None {
            // An instruction's operand: whatever native ran before, it is Lua code that complains.
            self.native = NO_NATIVE;
        }
        let name = self.describe(operand);
        self.kind_error(what, v, &name)
    }

    fn kind_error(&mut self, what: &str, v: Val, name: &[u8]) -> Thrown {
        let kind = self.type_name_for_message(v);
        let mut text = self.where_is(0);
        if self.dialect < Dialect::Lua53 && !name.is_empty() {
            text.extend_from_slice(format!("attempt to {what} ").as_bytes());
            let kind = format!(" (a {kind} value)");
            return self.throw_pieces(text, &[name, kind.as_bytes()]);
        }
        text.extend_from_slice(format!("attempt to {what} a {kind} value").as_bytes());
        self.throw_pieces(text, &[name])
    }

    /// The error of indexing something that cannot be.
    #[cold]
    pub(crate) fn index_error(&mut self, obj: Val, _key: Val, operand: Operand) -> Thrown {
        self.operand_error("index", obj, operand)
    }

    /// The error of calling something that cannot be; `func` is where it is on the stack.
    #[cold]
    pub(crate) fn call_error(&mut self, func: usize, f: Val) -> Thrown {
        self.native = NO_NATIVE;
        let thread = self.current_gc();
        let top = thread.frames().len().wrapping_sub(1);
        let code = thread
            .frames()
            .last()
            .filter(|frame| !frame.is_native())
            .and_then(|frame| frame_code(&thread, frame.func as usize));
        let Some(code) = code else {
            return self.kind_error("call", f, b"");
        };
        self.charge_for_names(&thread);
        if self.is_close_method(&thread, top, func, f) {
            return self.closing_error(f);
        }
        let name = names::called_name(code, self.instruction_index(&thread, top));
        let name = name
            // Before 5.4 what a metamethod or an iterator is has no name here.
            .filter(|n| {
                self.dialect >= Dialect::Lua54 || !matches!(n.kind, "metamethod" | "for iterator")
            })
            .map_or_else(Vec::new, |name| self.described(name));
        self.kind_error("call", f, &name)
    }

    /// Whether the call at `func` is that of a `__close`, made by the instruction that the Lua frame `top` is to repeat.
    fn is_close_method(&self, thread: &Thread, top: usize, func: usize, f: Val) -> bool {
        // SAFETY: a saved program counter points into its function's code.
        let at = unsafe { *thread.frames()[top].pc };
        !f.is_nil()
            && matches!(at.op(), Op::CLOSE | Op::RETURN)
            && func + 1 < thread.top as usize
            && self.meta_of(thread.get(func + 1), Event::Close).raw_eq(f)
    }

    /// The error of arithmetic on something that is not a number (or, for bitwise operations, not an integer).
    #[cold]
    pub(crate) fn arith_error(&mut self, event: Event, a: Val, b: Val, on: [Operand; 2]) -> Thrown {
        let bitwise = matches!(
            event,
            Event::BAnd | Event::BOr | Event::BXor | Event::Shl | Event::Shr | Event::BNot
        );
        // Before 5.4 it is the language that makes numbers of strings, and a binary operator's constants are in no register.
        let old = self.dialect < Dialect::Lua54;
        let numeric = |v: Val| match old {
            true => self.number_of(v).is_some(),
            false => v.is_number(),
        };
        let (good, both) = (numeric(a), numeric(a) && numeric(b));
        let binary = !matches!(event, Event::Unm | Event::BNot);
        let on = on.map(|operand| match operand {
            Operand::Register(_) if old && binary && self.is_constant(operand) => Operand::None,
            operand => operand,
        });
        if bitwise && both {
            let first = crate::native::to_integer(a).is_none();
            self.native = NO_NATIVE;
            let name = self.describe(on[!first as usize]);
            let mut text = self.where_is(0);
            text.extend_from_slice(b"number");
            return self.throw_pieces(text, &[&name, b" has no integer representation"]);
        }
        let (v, operand) = if good { (b, on[1]) } else { (a, on[0]) };
        let what = if bitwise {
            "perform bitwise operation on"
        } else {
            "perform arithmetic on"
        };
        self.operand_error(what, v, operand)
    }

    /// Whether an operand is a constant that was loaded for the instruction.
    fn is_constant(&self, operand: Operand) -> bool {
        let thread = self.thread();
        let Operand::Register(register) = operand else {
            return false;
        };
        let Some(at) = thread.frames().len().checked_sub(1) else {
            return false;
        };
        let Some(code) = frame_code(thread, thread.frames()[at].func as usize) else {
            return false;
        };
        let pc = self.instruction_index(thread, at);
        names::register_name(code, pc, register).is_some_and(|name| name.kind == "constant")
    }

    /// The error of comparing values that have no order.
    #[cold]
    pub(crate) fn compare_error(&mut self, a: Val, b: Val) -> Thrown {
        let (x, y) = (self.type_name_for_message(a), self.type_name_for_message(b));
        // 5.1 compares the third letters of the types' names.
        let alike = self.dialect == Dialect::Lua51 && x.as_bytes().get(2) == y.as_bytes().get(2);
        if x == y || alike {
            self.throw_str(&format!("attempt to compare two {x} values"))
        } else {
            self.throw_str(&format!("attempt to compare {x} with {y}"))
        }
    }

    /// The error of a numeric loop whose initial value, limit or step is not a number.
    #[cold]
    pub(crate) fn loop_error(&mut self, what: &str, v: Val) -> Thrown {
        if self.dialect < Dialect::Lua54 {
            return self.throw_str(&format!("'for' {what} must be a number"));
        }
        let kind = self.type_name_for_message(v);
        self.throw_str(&format!("bad 'for' {what} (number expected, got {kind})"))
    }

    /// The error of a to-be-closed variable whose value has lost its `__close`.
    #[cold]
    pub(crate) fn close_error(&mut self) -> Thrown {
        self.native = NO_NATIVE;
        let thread = self.current_gc();
        let lua = thread.frames().last().filter(|f| !f.is_native());
        if lua.is_none() {
            return self.kind_error("call", Val::NIL, b"");
        }
        self.closing_error(Val::NIL)
    }

    /// The error of calling what a variable is to be closed with, by the instruction that the Lua frame on top repeats.
    fn closing_error(&mut self, method: Val) -> Thrown {
        let thread = self.current_gc();
        let mut text = Vec::new();
        if let Some(frame) = thread.frames().last()
            && let Some(code) = frame_code(&thread, frame.func as usize)
        {
            let at = (frame.pc as usize - code.code.as_ptr() as usize) / size_of::<Instr>();
            text = position(code, code.line(at));
        }
        let kind = self.type_name_for_message(method);
        text.extend_from_slice(format!("attempt to call a {kind} value").as_bytes());
        self.throw_pieces(text, &[b" (metamethod 'close')"])
    }

    /// The error of declaring a to-be-closed variable with a value that cannot be closed.
    #[cold]
    pub(crate) fn not_closable_error(&mut self, register: usize) -> Thrown {
        let thread = self.current_gc();
        let name = thread.frames().last().and_then(|frame| {
            let code = frame_code(&thread, frame.func as usize)?;
            let at = self.instruction_index(&thread, thread.frames().len() - 1);
            code.local_name(register + 1, at)
                .or_else(|| code.local_name(register + 1, at + 1))
        });
        let mut text = self.where_is(0);
        text.extend_from_slice(b"variable '");
        let name = name.unwrap_or(b"?");
        self.throw_pieces(text, &[name, b"' got a non-closable value"])
    }
}

/// `"chunk:line: "`; the line is -1 in stripped code.
fn position(code: &FunctionCode, line: Option<u32>) -> Vec<u8> {
    let mut text = crate::compiler::chunk_id_in(code.dialect, &code.source, false);
    text.extend_from_slice(format!(":{}: ", line.map_or(-1, i64::from)).as_bytes());
    text
}

/// A name as messages append it: `" (global 'x')"`.
fn described(name: Name<'_>) -> Vec<u8> {
    let mut text = format!(" ({} '", name.kind).into_bytes();
    text.extend_from_slice(name.name);
    text.extend_from_slice(b"')");
    text
}

/// Whether a native's frame belongs to the host's side of a call.
fn is_hidden(thread: &Thread, frame: &Frame) -> bool {
    thread
        .get(frame.func as usize)
        .as_native()
        .is_some_and(|def| std::ptr::eq(def, &crate::stdlib::protected::PROTECTED))
}
