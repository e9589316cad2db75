//! Names, lines and levels: what error messages and tracebacks say about the code that runs.
//!
//! **Invariant:** nothing here changes the state of the VM or runs Lua; everything is derived from frames, saved program
//! counters and the chunk's debug information, and says less when that was stripped.

use super::{Event, NO_NATIVE, Vm};
use crate::native::Thrown;
use crate::thread::{Frame, Thread, frame_flags};
use crate::value::{Val, tag};

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

impl Vm {
    /// The activation at a level, as `debug.getinfo` counts: 0 is the function that runs (the native, if one does).
    /// `Err`: the running native, which has no frame; the index is that of its function on the stack.
    pub(crate) fn level(&self, thread: &Thread, level: usize) -> Option<Result<Frame, u32>> {
        let mut level = level;
        let frames = thread.frames();
        let running = std::ptr::eq(thread, self.current) && self.native != NO_NATIVE;
        if running {
            let framed = frames.last().is_some_and(|f| f.is_native() && f.func == self.native);
            if !framed {
                if level == 0 {
                    return Some(Err(self.native));
                }
                level -= 1;
            }
        }
        frames.iter().rev().filter(|f| f.flags & frame_flags::BOUNDARY == 0).nth(level).map(|f| Ok(*f))
    }

    /// The line a Lua frame is at.
    pub(crate) fn frame_line(&self, thread: &Thread, frame: &Frame) -> Option<u32> {
        let closure = thread.get(frame.func as usize).as_lua_closure()?;
        let p = closure.proto();
        p.function.line(p.current_index(frame.pc))
    }

    /// `"chunk:line: "` of the Lua function at a level; empty if it is not one.
    pub(crate) fn where_is(&self, level: usize) -> Vec<u8> {
        let thread = self.thread();
        let Some(Ok(frame)) = self.level(thread, level) else { return Vec::new() };
        if frame.is_native() {
            return Vec::new();
        }
        let Some(closure) = thread.get(frame.func as usize).as_lua_closure() else { return Vec::new() };
        let mut text = crate::compiler::chunk_id(&closure.proto().function.source);
        match self.frame_line(thread, &frame) {
            Some(line) => text.extend_from_slice(format!(":{line}: ").as_bytes()),
            None => text.extend_from_slice(b":?: "),
        }
        text
    }

    /// "bad argument #i to 'name' (message)".
    #[cold]
    pub(crate) fn arg_error(&mut self, i: usize, message: &[u8]) -> Thrown {
        let name = self.running_native_name();
        let mut text = self.where_is(1);
        text.extend_from_slice(format!("bad argument #{} to '{name}' (", i + 1).as_bytes());
        text.extend_from_slice(message);
        text.push(b')');
        self.throw_bytes(&text)
    }

    fn running_native_name(&self) -> String {
        if self.native == NO_NATIVE {
            return "?".to_owned();
        }
        self.thread().get(self.native as usize).as_native().map_or("?".to_owned(), |d| d.name.to_owned())
    }

    /// How a message describes an operand: `" (local 'x')"`, or nothing.
    pub(crate) fn describe(&self, _operand: Operand) -> String {
        String::new()
    }

    /// "attempt to {what} a nil value (local 'x')".
    #[cold]
    pub(crate) fn operand_error(&mut self, what: &str, v: Val, operand: Operand) -> Thrown {
        self.native = NO_NATIVE;
        let name = self.describe(operand);
        let kind = self.type_name_for_message(v);
        self.throw_str(&format!("attempt to {what} a {kind} value{name}"))
    }

    /// The error of indexing something that cannot be.
    #[cold]
    pub(crate) fn index_error(&mut self, obj: Val, _key: Val, operand: Operand) -> Thrown {
        self.operand_error("index", obj, operand)
    }

    /// The error of calling something that cannot be.
    #[cold]
    pub(crate) fn call_error(&mut self, func: usize, f: Val) -> Thrown {
        let frame = self.thread().frames().last().copied();
        let operand = match frame {
            Some(frame) if !frame.is_native() && func >= frame.base as usize => Operand::Register(func - frame.base as usize),
            _ => Operand::None,
        };
        self.operand_error("call", f, operand)
    }

    /// The error of arithmetic on something that is not a number (or, for bitwise operations, not an integer).
    #[cold]
    pub(crate) fn arith_error(&mut self, event: Event, a: Val, b: Val, on: [Operand; 2]) -> Thrown {
        let bitwise = matches!(event, Event::BAnd | Event::BOr | Event::BXor | Event::Shl | Event::Shr | Event::BNot);
        if bitwise && a.is_number() && b.is_number() {
            let culprit = if a.tag == tag::FLOAT && crate::number::float_to_int(a.raw_float()).is_none() { 0 } else { 1 };
            self.native = NO_NATIVE;
            let name = self.describe(on[culprit]);
            return self.throw_str(&format!("number{name} has no integer representation"));
        }
        let second = a.is_number();
        let (v, operand) = if second { (b, on[1]) } else { (a, on[0]) };
        let what = if bitwise { "perform bitwise operation on" } else { "perform arithmetic on" };
        self.operand_error(what, v, operand)
    }

    /// The error of comparing values that have no order.
    #[cold]
    pub(crate) fn compare_error(&mut self, a: Val, b: Val) -> Thrown {
        let (x, y) = (self.type_name_for_message(a), self.type_name_for_message(b));
        if x == y {
            self.throw_str(&format!("attempt to compare two {x} values"))
        } else {
            self.throw_str(&format!("attempt to compare {x} with {y}"))
        }
    }

    /// The error of a to-be-closed variable whose value has lost its `__close`.
    #[cold]
    pub(crate) fn close_error(&mut self, slot: usize) -> Thrown {
        let v = self.thread().get(slot);
        let kind = self.type_name_for_message(v);
        self.throw_str(&format!("attempt to call a {kind} value (metamethod 'close')"))
    }

    /// The error of declaring a to-be-closed variable with a value that cannot be closed.
    #[cold]
    pub(crate) fn not_closable_error(&mut self, register: usize) -> Thrown {
        let thread = self.thread();
        let name = thread
            .frames()
            .last()
            .and_then(|frame| {
                let closure = thread.get(frame.func as usize).as_lua_closure()?;
                let p = closure.proto();
                let at = p.current_index(frame.pc);
                Some(String::from_utf8_lossy(p.function.local_name(register + 1, at + 1)?).into_owned())
            })
            .unwrap_or_else(|| "?".to_owned());
        self.throw_str(&format!("variable '{name}' got a non-closable value"))
    }
}
