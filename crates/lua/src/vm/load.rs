//! From source text or a shared chunk to a function that can be called.
//!
//! **Invariants**
//! - Compilation is charged to this VM while it happens: fuel, and the compiler's own memory, which is given back when
//!   it ends. A compilation cannot be preempted, so one that exceeds its slice by [`MAX_DEBT`] is refused where
//!   scripts are not trusted.
//! - Code compiled in a VM is charged to it for as long as one function of the chunk lives (`Proto::private`). A chunk
//!   that the host brings is shared among VMs and charged to none.

use super::Vm;
use crate::chunk::{Chunk, Constant, FunctionCode};
use crate::compiler::{self, CompileError, Meter, Options, Stop, dump};
use crate::function::{LuaClosure, UpBox};
use crate::heap::Gc;
use crate::native::Thrown;
use crate::value::{Val, tag};
use std::rc::Rc;
use std::sync::Arc;

/// Why a text or binary chunk gave no function.
#[derive(Debug)]
pub(crate) enum LoadError {
    /// It is not a valid chunk, or not one that may be loaded.
    Refused {
        message: Vec<u8>,
        /// The error is at the end of the text: more of it may make it valid.
        incomplete: bool,
    },
    /// Something was thrown meanwhile: "not enough memory".
    Thrown(Thrown),
}

impl From<Thrown> for LoadError {
    fn from(thrown: Thrown) -> LoadError {
        LoadError::Thrown(thrown)
    }
}

/// What the compiler's units of work (about one for a byte of source or an instruction made) cost in fuel: they take that much
/// longer than an instruction.
const FUEL_FOR_WORK: u64 = 8;
/// The compiler's memory is vectors that double when they grow: as much again may be unused.
const BYTES_FOR_BYTE: usize = 2;
/// Fuel that an untrusted script's compilation may use beyond its slice: some 60 milliseconds. It cannot be interrupted.
const MAX_DEBT: i64 = 8 << 20;
/// The same where the host has asked, and no script waits.
const MAX_HOST_DEBT: i64 = 128 << 20;

/// Charges the compiler's work and memory to a VM.
struct VmMeter<'a> {
    vm: &'a mut Vm,
    /// Bytes charged so far, to be given back.
    bytes: usize,
    /// Where the fuel must not fall below.
    least_fuel: i64,
    thrown: Option<Thrown>,
}

impl Meter for VmMeter<'_> {
    fn charge(&mut self, fuel: u64, bytes: usize) -> Result<(), Stop> {
        let fuel = fuel.saturating_mul(FUEL_FOR_WORK);
        let bytes = bytes.saturating_mul(BYTES_FOR_BYTE);
        let left = self.vm.heap.fuel_left().saturating_sub_unsigned(fuel);
        self.vm.heap.set_fuel(left);
        if left < self.least_fuel {
            return Err(Stop);
        }
        self.vm.charge_bytes(bytes).map_err(|thrown| {
            self.thrown = Some(thrown);
            Stop
        })?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Vm {
    /// Compiles a text. `name` is a chunk name as `load` takes it; both must be reachable or outside the heap.
    pub(crate) fn compile(&mut self, source: &[u8], name: &[u8]) -> Result<Arc<Chunk>, LoadError> {
        let options = Options {
            dialect: self.dialect,
            by_reference_captures: self.strict,
        };
        let least_fuel = if self.full_access() {
            i64::MIN
        } else {
            let debt = if self.run_depth > 0 {
                MAX_DEBT
            } else {
                MAX_HOST_DEBT
            };
            self.heap.fuel_left().min(0) - debt
        };
        let mut meter = VmMeter {
            vm: self,
            bytes: 0,
            least_fuel,
            thrown: None,
        };
        let compiled = compiler::compile(source, name, &options, &mut meter);
        let (bytes, thrown) = (meter.bytes, meter.thrown);
        self.heap.uncharge(bytes);
        compiled.map_err(|error| match (error, thrown) {
            (
                CompileError::Syntax {
                    message,
                    incomplete,
                },
                _,
            ) => LoadError::Refused {
                message,
                incomplete,
            },
            (CompileError::Stopped, Some(thrown)) => LoadError::Thrown(thrown),
            (CompileError::Stopped, None) => {
                let mut message = compiler::chunk_id(name);
                message.extend_from_slice(b": chunk has too much code to compile at once");
                LoadError::Refused {
                    message,
                    incomplete: false,
                }
            }
        })
    }

    /// Compiles a text; the result is its main function, with the VM's environment.
    pub(crate) fn load_source(
        &mut self,
        source: &[u8],
        name: &[u8],
    ) -> Result<Gc<LuaClosure>, LoadError> {
        let chunk = self.compile(source, name)?;
        Ok(self.instantiate(&chunk, true)?)
    }

    /// Reads a text or binary chunk. `mode` says which are allowed (`t`, `b`, `bt`).
    pub(crate) fn load_any(
        &mut self,
        source: &[u8],
        name: &[u8],
        mode: &[u8],
    ) -> Result<Gc<LuaClosure>, LoadError> {
        let binary = source.first() == dump::SIGNATURE.first();
        let (kind, letter) = if binary {
            ("binary", b'b')
        } else {
            ("text", b't')
        };
        // Nobody is to be tempted to run code that no compiler has made where scripts are not trusted.
        let refused = binary && !self.full_access();
        if refused || !mode.contains(&letter) {
            let mut message = format!("attempt to load a {kind} chunk (mode is '").into_bytes();
            message.extend_from_slice(if refused { b"t" } else { mode });
            message.extend_from_slice(b"')");
            return Err(LoadError::Refused {
                message,
                incomplete: false,
            });
        }
        if !binary {
            return self.load_source(source, name);
        }
        let fuel = self.heap.fuel_left() - (source.len() / 8) as i64;
        self.heap.set_fuel(fuel);
        let chunk = dump::undump(source, b"=?", self.dialect).map_err(|error| {
            let mut message = match name {
                [b'@' | b'=', name @ ..] => name.to_vec(),
                name if name.first() == dump::SIGNATURE.first() => b"binary string".to_vec(),
                name => name.to_vec(),
            };
            message.extend_from_slice(b": ");
            message.extend_from_slice(error.message().as_bytes());
            LoadError::Refused {
                message,
                incomplete: false,
            }
        })?;
        Ok(self.instantiate(&chunk, true)?)
    }

    /// A chunk's main function, with the VM's environment. The chunk is the host's: its code is not charged.
    pub(crate) fn load_chunk(&mut self, chunk: &Arc<Chunk>) -> Result<Gc<LuaClosure>, Thrown> {
        if chunk.dialect() != self.dialect {
            let (chunk, own) = (chunk.dialect(), self.dialect);
            return Err(self.throw_str(&format!(
                "a chunk of Lua {chunk} cannot run in a VM of Lua {own}"
            )));
        }
        self.instantiate(chunk, false)
    }

    fn instantiate(&mut self, chunk: &Arc<Chunk>, private: bool) -> Result<Gc<LuaClosure>, Thrown> {
        let code = if private {
            let bytes = code_bytes(&chunk.main);
            self.charge_bytes(bytes)?;
            Some(Rc::new(bytes))
        } else {
            None
        };
        let protected = self.scratch.len();
        let made = self.new_proto(&chunk.main, code.clone()).and_then(|proto| {
            self.scratch.push(Val::object(proto.header(), tag::PROTO));
            let closure = self.new_lua_closure(proto.as_ptr(), chunk.main.upvalues.len())?;
            self.scratch.push(Val::lua_closure(closure));
            self.give_upvalues(closure, &chunk.main, private)?;
            Ok(closure)
        });
        self.scratch.truncate(protected);
        // A prototype that was made gives the bytes back when it goes; otherwise nobody else would.
        if let Some(code) = code
            && Rc::strong_count(&code) == 1
        {
            self.heap.uncharge(*code);
        }
        made
    }

    /// Gives a main function fresh captured variables; the first is its environment.
    fn give_upvalues(
        &mut self,
        closure: Gc<LuaClosure>,
        code: &FunctionCode,
        private: bool,
    ) -> Result<(), Thrown> {
        for (i, upvalue) in code.upvalues.iter().enumerate() {
            let v = if i == 0 {
                match private {
                    true => self.environment_for_chunks()?,
                    // What the host brings is nothing of the running coroutine's.
                    false => Val::table(self.environment),
                }
            } else {
                Val::NIL
            };
            let held = if upvalue.by_value {
                v
            } else {
                Val::object(self.new_closed_box(v)?.header(), tag::UPBOX)
            };
            // SAFETY: the closure was made with this many upvalues.
            unsafe { *closure.upvalue_ptr(i) = held };
            self.barrier(closure.header(), held);
        }
        Ok(())
    }

    /// Another function of the code of a chunk's main function, with captured variables of its own: as if the chunk had been
    /// loaded again. It must be reachable.
    pub(crate) fn reload(&mut self, main: Gc<LuaClosure>) -> Result<Gc<LuaClosure>, Thrown> {
        let code = Arc::clone(&main.proto().function);
        let closure = self.new_lua_closure(main.proto, code.upvalues.len())?;
        self.scratch.push(Val::lua_closure(closure));
        let given = self.give_upvalues(closure, &code, false);
        self.scratch.pop();
        given.map(|()| closure)
    }

    /// The environment of a chunk that a script loads now: in 5.1, that of the running coroutine.
    fn environment_for_chunks(&mut self) -> Result<Val, Thrown> {
        if self.dialect.has_env_variable() {
            return Ok(Val::table(self.environment));
        }
        let thread = self.current_gc();
        crate::stdlib::versions::environments::environment_of_thread(self, thread)
    }

    /// The environment of a function of a 5.1 VM.
    pub(crate) fn environment_of(&self, closure: Gc<LuaClosure>) -> Val {
        if closure.count() == 0 {
            return Val::table(self.environment);
        }
        // SAFETY: there is an upvalue, and an UPBOX value points to a live box.
        unsafe {
            let held = *closure.upvalue_ptr(0);
            match held.tag {
                tag::UPBOX => *held.raw_gc::<UpBox>().location,
                _ => held,
            }
        }
    }

    /// Replaces the environment of a main function, if it has any upvalue. Both must be reachable.
    pub(crate) fn set_environment(&mut self, closure: Gc<LuaClosure>, env: Val) {
        if closure.count() == 0 {
            return;
        }
        // SAFETY: there is an upvalue, and an UPBOX value points to a live box.
        unsafe {
            let held = *closure.upvalue_ptr(0);
            if held.tag == tag::UPBOX {
                let mut b: Gc<UpBox> = held.raw_gc();
                *b.location = env;
                self.barrier(b.header(), env);
            } else {
                *closure.upvalue_ptr(0) = env;
                self.barrier(closure.header(), env);
            }
        }
    }
}

/// About how many bytes a function's code takes, with the functions inside it (they nest no deeper than the compiler
/// and the reader of binary chunks allow).
fn code_bytes(code: &FunctionCode) -> usize {
    let strings: usize = code
        .constants
        .iter()
        .map(|c| if let Constant::Str(s) = c { s.len() } else { 0 })
        .sum();
    let names: usize = code
        .upvalues
        .iter()
        .map(|u| u.name.len())
        .chain(code.locals.iter().map(|l| l.name.len()))
        .sum();
    // The source's name is one for all functions of a chunk.
    let source = if code.line_defined == 0 {
        code.source.len()
    } else {
        0
    };
    size_of::<FunctionCode>()
        + size_of_val(&*code.code)
        + size_of_val(&*code.constants)
        + size_of_val(&*code.children)
        + size_of_val(&*code.upvalues)
        + size_of_val(&*code.lines)
        + size_of_val(&*code.locals)
        + strings
        + names
        + source
        + code.children.iter().map(|c| code_bytes(c)).sum::<usize>()
}
