//! The VM of `rille lua` and its limits.
//!
//! Everything a script runs is one coroutine, which looks to it as the main one does, resumed in slices of fuel; between slices
//! the limits on instructions and time are looked at, and Ctrl-C. So time is overrun by a slice at most, and nothing a script
//! does (a `pcall`, a coroutine, a finalizer that never ends) keeps the program from stopping.

use super::args::Options;
use super::interrupt::Interrupts;
use rille_lua::{
    CivilTime, Dialect, Error, Function, Host, Lua, LuaOptions, MultiValue, Outcome, Profile,
    Result, StdHost, StopReason, Table, Thread, Value,
};
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Fuel between two looks at the clock: some milliseconds.
const SLICE_FUEL: u64 = 1_000_000;
/// Fuel for closing variables of a script that is stopped.
const CLOSING_FUEL: u64 = 1_000_000;
/// The message of the error that means that there is no memory left.
const NO_MEMORY: &[u8] = b"not enough memory";

/// Why something did not run to its end.
pub enum Failure {
    /// An error, with its traceback if it was raised by what ran.
    Message(Vec<u8>),
    /// There is no memory left, or no more allowed.
    Memory,
    /// A limit, in words.
    Limit(String),
}

impl Failure {
    pub fn message(text: impl Into<String>) -> Failure {
        Failure::Message(text.into().into_bytes())
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        match e.root() {
            Error::MemoryError(_) => Failure::Memory,
            _ => Failure::message(e.message()),
        }
    }
}

/// What a text compiles to.
pub enum Loaded {
    Function(Value),
    /// More lines could make it whole; the error says what is wrong with it as it is.
    Incomplete(Failure),
}

/// The VM and what it may still use.
pub struct Machine {
    lua: Option<Lua>,
    host: Rc<dyn Host>,
    /// The one inside that has the streams.
    streams: Rc<StdHost>,
    /// The coroutine that everything runs in, one after the other.
    main: RefCell<Option<Thread>>,
    /// The library's `pcall` and `tostring`, whatever a script makes of these globals.
    pcall: Function,
    tostring: Value,
    interrupts: Interrupts,
    max_instructions: Option<u64>,
    deadline: Option<(Instant, Duration)>,
    memory_is_limited: bool,
    check_heap: bool,
    report: bool,
    stopped: Cell<bool>,
}

impl Machine {
    pub fn new(options: &Options) -> Result<Machine> {
        // For measurements: the same hash key in every run. Nothing that a script can set, and not in the sandbox.
        let seed = std::env::var("RILLE_HASH_SEED").ok();
        let seed = seed.and_then(|text| text.parse().ok());
        let streams = Rc::new(seed.map_or_else(StdHost::default, StdHost::with_seed));
        let host: Rc<dyn Host> = if options.sandbox {
            Rc::new(SandboxedHost(Rc::clone(&streams)))
        } else {
            Rc::<StdHost>::clone(&streams)
        };
        let lua = Lua::with_options(LuaOptions {
            profile: if options.sandbox {
                Profile::Sandbox
            } else {
                Profile::Full
            },
            dialect: options.dialect,
            strict: options.strict,
            memory_limit: options.max_memory_bytes.unwrap_or(usize::MAX),
            host: Rc::clone(&host),
            use_environment: !options.ignore_environment,
            ..LuaOptions::default()
        })?;
        let on = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
        lua.set_gc_quarantine(on("RILLE_GC_QUARANTINE"));
        lua.set_gc_stress(on("RILLE_GC_STRESS"));
        if options.dialect >= Dialect::Lua54 {
            // As lua(1) begins.
            lua.gc_generational();
        }
        if options.max_instructions.is_none() && options.timeout.is_none() {
            lua.set_closing_fuel(u64::MAX);
        }
        Ok(Machine {
            host,
            streams,
            main: RefCell::default(),
            pcall: lua.globals().raw_get("pcall")?,
            tostring: lua.globals().raw_get("tostring")?,
            interrupts: Interrupts::new(),
            max_instructions: options.max_instructions,
            deadline: options.timeout.map(|t| (Instant::now() + t, t)),
            memory_is_limited: options.max_memory_bytes.is_some(),
            check_heap: on("RILLE_GC_CHECK"),
            report: on("RILLE_REPORT"),
            stopped: Cell::new(false),
            lua: Some(lua),
        })
    }

    pub fn lua(&self) -> &Lua {
        match &self.lua {
            Some(lua) => lua,
            None => unreachable!("the VM goes in `finish` only, which takes the machine"),
        }
    }

    /// Compiles a text.
    pub fn load(&self, text: &[u8], name: &str) -> std::result::Result<Value, Failure> {
        match self.try_load(text, name)? {
            Loaded::Function(f) => Ok(f),
            Loaded::Incomplete(failure) => Err(failure),
        }
    }

    /// Compiles a text that may not be whole yet.
    pub fn try_load(&self, text: &[u8], name: &str) -> std::result::Result<Loaded, Failure> {
        match self.lua().load(text).set_name(name).into_function() {
            Ok(f) => Ok(Loaded::Function(Value::Function(f))),
            Err(Error::SyntaxError {
                message,
                incomplete_input: true,
            }) => Ok(Loaded::Incomplete(Failure::message(message))),
            Err(e) => Err(e.into()),
        }
    }

    /// Compiles a file's text, or reads a binary chunk where those are allowed.
    pub fn load_file(&self, text: Vec<u8>, name: &str) -> std::result::Result<Value, Failure> {
        let text = rille_lua::skip_first_comment(text);
        let mode = if text.first() == Some(&0x1B) {
            rille_lua::ChunkMode::Binary
        } else {
            rille_lua::ChunkMode::Text
        };
        let loaded = self.lua().load(text).set_name(name).set_mode(mode);
        Ok(Value::Function(loaded.into_function()?))
    }

    /// Calls a value as the main program, under the limits; an error comes with a traceback. Ctrl-C interrupts it.
    pub fn call(&self, f: &Value, args: MultiValue) -> std::result::Result<MultiValue, Failure> {
        let protected = self.lua().create_protected(f)?;
        let armed = self.interrupts.arm();
        let (good, mut results) = self.run(protected, args)?;
        drop(armed);
        if good {
            return Ok(results);
        }
        // The message handler made it a string.
        let message = results.pop_front().unwrap_or_default();
        match message.as_string() {
            Some(text) if *text.as_bytes() == *NO_MEMORY => Err(Failure::Memory),
            Some(text) => Err(Failure::Message(text.as_bytes().to_vec())),
            None => Err(Failure::message("(error message not a string)")),
        }
    }

    /// Calls a value under the limits, without a traceback and without Ctrl-C; an error is the value that was raised.
    pub fn call_plainly(
        &self,
        f: &Value,
        mut args: MultiValue,
    ) -> std::result::Result<std::result::Result<MultiValue, Value>, Failure> {
        args.push_front(f.clone());
        let (good, mut results) = self.run(self.pcall.clone(), args)?;
        Ok(if good {
            Ok(results)
        } else {
            Err(results.pop_front().unwrap_or_default())
        })
    }

    /// As `call_plainly`, for one result; an error is a failure.
    fn call_for_one(&self, f: &Value, args: Vec<Value>) -> std::result::Result<Value, Failure> {
        match self.call_plainly(f, MultiValue::from_vec(args))? {
            Ok(mut results) => Ok(results.pop_front().unwrap_or_default()),
            Err(error) => Err(match self.lua().coerce_string(error)? {
                Some(text) => Failure::Message(text.as_bytes().to_vec()),
                None => Failure::message("(error message not a string)"),
            }),
        }
    }

    /// Runs a function that is protected: it returns whether all went well, and what came of it.
    fn run(
        &self,
        f: Function,
        args: MultiValue,
    ) -> std::result::Result<(bool, MultiValue), Failure> {
        let thread = self.main_coroutine(f)?;
        let stop = |reason, text: String| {
            self.stopped.set(true);
            self.lua().set_closing_fuel(CLOSING_FUEL);
            let position = thread.current_line();
            thread.terminate(reason, CLOSING_FUEL);
            Err(Failure::Limit(match position {
                Some((chunk, line)) => format!("{chunk}:{line}: {text}"),
                None => text,
            }))
        };
        let mut outcome = match self.slice() {
            Ok(fuel) => thread.resume_with_fuel(args, fuel),
            Err((reason, text)) => return stop(reason, text),
        };
        loop {
            let waited = match outcome {
                Outcome::Done(mut values) | Outcome::Yielded(mut values) => {
                    let good = values.pop_front().and_then(|v| v.as_boolean());
                    return Ok((good == Some(true), values));
                }
                Outcome::Error(e) => return Err(e.into()),
                Outcome::Terminated(reason) => return Err(Failure::Limit(reason.to_string())),
                Outcome::Preempted => {
                    // Who watches the output of a long run sees it come.
                    let _ = self.host.flush_out();
                    None
                }
                Outcome::Pending(future) => match self.block_on(future) {
                    Some(result) => Some(result),
                    None => return stop(StopReason::WallTime, self.timeout_text()),
                },
            };
            let fuel = match self.slice() {
                Ok(fuel) => fuel,
                Err((reason, text)) => return stop(reason, text),
            };
            outcome = match waited {
                Some(result) => thread.complete(result, fuel),
                None if self.interrupts.take() => {
                    thread.continue_with_error(Error::runtime("interrupted!"), fuel)
                }
                None => thread.continue_with_fuel(fuel),
            };
        }
    }

    /// The main coroutine, about to run a function.
    fn main_coroutine(&self, f: Function) -> Result<Thread> {
        let mut main = self.main.borrow_mut();
        let thread = match main.take() {
            Some(thread) => {
                thread.reset(f)?;
                thread
            }
            None => self.lua().create_thread(f)?,
        };
        thread.set_main(true);
        *main = Some(thread.clone());
        Ok(thread)
    }

    /// Forgets a Ctrl-C that came when a script had just ended.
    pub fn forget_interrupt(&self) {
        self.interrupts.take();
    }

    // ---- what a script can have put metamethods on ----

    /// A global, as a script reads it.
    pub fn global(&self, name: &str) -> std::result::Result<Value, Failure> {
        let globals = self.lua().globals();
        let value: Value = globals.raw_get(name)?;
        if !value.is_nil() || globals.metatable().is_none() {
            return Ok(value);
        }
        let read = self.load(b"local t, k = ... return t[k]", "=lua")?;
        let key = Value::String(self.lua().create_string(name)?);
        self.call_for_one(&read, vec![Value::Table(globals), key])
    }

    /// Sets a global, as a script does.
    pub fn set_global(&self, name: &[u8], value: Value) -> std::result::Result<(), Failure> {
        let globals = self.lua().globals();
        let key = self.lua().create_string(name)?;
        if globals.metatable().is_none() {
            return Ok(globals.raw_set(key, value)?);
        }
        let write = self.load(b"local t, k, v = ... t[k] = v", "=lua")?;
        let args = vec![Value::Table(globals), Value::String(key), value];
        self.call_for_one(&write, args).map(drop)
    }

    /// The length of a table, as a script finds it.
    pub fn length(&self, table: &Table) -> std::result::Result<i64, Failure> {
        if table.metatable().is_none() {
            return Ok(table.raw_len() as i64);
        }
        let read = self.load(b"local t = ... return #t", "=lua")?;
        let length = self.call_for_one(&read, vec![Value::Table(table.clone())])?;
        // Without integers it is a float.
        let floats = length.as_f64().filter(|n| n.fract() == 0.0);
        length
            .as_integer()
            .or(floats.map(|n| n as i64))
            .ok_or_else(|| Failure::message("object length is not an integer"))
    }

    /// A value's text, as `tostring` gives it.
    pub fn text(&self, value: Value) -> std::result::Result<Vec<u8>, Failure> {
        let text = self.call_for_one(&self.tostring, vec![value])?;
        Ok(text
            .as_string()
            .map_or_else(Vec::new, |s| s.as_bytes().to_vec()))
    }

    /// The fuel of the next slice, or the limit that is reached.
    fn slice(&self) -> std::result::Result<u64, (StopReason, String)> {
        if self
            .deadline
            .is_some_and(|(deadline, _)| Instant::now() >= deadline)
        {
            return Err((StopReason::WallTime, self.timeout_text()));
        }
        let Some(limit) = self.max_instructions else {
            return Ok(SLICE_FUEL);
        };
        match limit.saturating_sub(self.lua().fuel_used()) {
            0 => Err((
                StopReason::InstructionLimit,
                format!("instruction limit of {limit} exceeded"),
            )),
            left => Ok(left.min(SLICE_FUEL)),
        }
    }

    fn timeout_text(&self) -> String {
        let limit = self.deadline.map_or(Duration::ZERO, |(_, limit)| limit);
        format!("time limit of {limit:?} exceeded")
    }

    /// Waits for a future on this thread; `None` when time is up first.
    fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
                return Some(value);
            }
            match self.deadline {
                None => std::thread::park(),
                Some((deadline, _)) => {
                    let left = deadline.checked_duration_since(Instant::now())?;
                    std::thread::park_timeout(left);
                }
            }
        }
    }

    /// Whether a limit has ended a script: there is nothing left to run others on.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Writes a line to standard error.
    pub fn warn(&self, line: &[u8]) {
        let _ = self.host.write_err(line);
    }

    /// Says on standard error what went wrong; returns the exit code it means.
    pub fn report(&self, program: Option<&[u8]>, failure: &Failure) -> u8 {
        let (text, code) = match failure {
            Failure::Message(text) => (&text[..], 1),
            Failure::Memory => (NO_MEMORY, if self.memory_is_limited { 70 } else { 1 }),
            Failure::Limit(text) => (text.as_bytes(), 70),
        };
        let line = match program {
            Some(program) => [program, b": ", text, b"\n"].concat(),
            None => [text, b"\n"].concat(),
        };
        let _ = self.host.write_err(&line);
        code
    }

    /// Writes what a prompt shows.
    pub fn show(&self, text: &[u8]) {
        let _ = self.host.write_out(text);
        let _ = self.host.flush_out();
    }

    /// Makes what a script has written appear, and ends its last line.
    pub fn finish_line(&self) {
        self.show(if self.streams.is_within_line() {
            b"\n"
        } else {
            b""
        });
    }

    /// Closes the VM, with its finalizers, and returns the exit code.
    pub fn finish(mut self, code: u8) -> u8 {
        let mut code = code;
        if self.check_heap {
            let problems = self.lua().check_heap().unwrap_or_default();
            for problem in &problems {
                let _ = self
                    .host
                    .write_err(format!("heap check: {problem}\n").as_bytes());
            }
            if !problems.is_empty() {
                code = 3;
            }
        }
        let fuel_used = self.lua().fuel_used();
        drop(self.main.take());
        drop(self.lua.take());
        let _ = self.host.flush_out();
        if self.report {
            let line = super::report::line(fuel_used, self.max_instructions);
            let _ = self.host.write_err(line.as_bytes());
        }
        code
    }
}

struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a sandboxed script gets from outside: a clock, randomness, the standard streams.
struct SandboxedHost(Rc<StdHost>);

impl Host for SandboxedHost {
    fn unix_time(&self) -> f64 {
        self.0.unix_time()
    }
    fn cpu_time(&self) -> f64 {
        self.0.cpu_time()
    }
    fn local_time(&self, unix_s: i64) -> Option<CivilTime> {
        self.0.local_time(unix_s)
    }
    fn unix_from_local(&self, time: &CivilTime) -> Option<i64> {
        self.0.unix_from_local(time)
    }
    fn write_out(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_out(bytes)
    }
    fn flush_out(&self) -> std::io::Result<()> {
        self.0.flush_out()
    }
    fn write_err(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_err(bytes)
    }
    fn read_in(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_in(buffer)
    }
}
