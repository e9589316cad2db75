//! The VM of `rille lua` and its limits.
//!
//! Everything a script runs is a coroutine resumed in slices of fuel; between slices the limits on instructions and time are
//! looked at. So time is overrun by a slice at most, and nothing a script does (a `pcall`, a coroutine, a finalizer that never ends)
//! keeps the program from stopping.

use super::args::Options;
use rille_lua::{
    CivilTime, Error, Function, Host, IntoLuaMulti, Lua, LuaOptions, MultiValue, Outcome, Profile,
    Result, StdHost, StopReason,
};
use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Fuel between two looks at the clock: some milliseconds.
const SLICE_FUEL: u64 = 1_000_000;
/// Fuel for closing variables of a script that is stopped.
const CLOSING_FUEL: u64 = 1_000_000;

/// Why something did not run to its end.
pub enum Failure {
    /// An error of the script's.
    Error(Error),
    /// An error of ours.
    Message(String),
    /// A limit, in words.
    Limit(String),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        match e.root() {
            Error::MemoryError(_) => Failure::Limit("not enough memory".to_owned()),
            _ => Failure::Error(e),
        }
    }
}

/// The VM and what it may still use.
pub struct Machine {
    lua: Option<Lua>,
    host: Rc<dyn Host>,
    max_instructions: Option<u64>,
    deadline: Option<(Instant, Duration)>,
    check_heap: bool,
    report: bool,
    stopped: Cell<bool>,
}

impl Machine {
    pub fn new(options: &Options) -> Result<Machine> {
        let host: Rc<dyn Host> = if options.sandbox {
            Rc::new(SandboxedHost::default())
        } else if options.ignore_environment {
            Rc::new(NoSearchPaths::default())
        } else {
            Rc::new(StdHost::default())
        };
        let lua = Lua::with_options(LuaOptions {
            profile: if options.sandbox {
                Profile::Sandbox
            } else {
                Profile::Full
            },
            strict: options.strict,
            dialect: options.dialect,
            memory_limit: options.max_memory_bytes.unwrap_or(usize::MAX),
            host: Rc::clone(&host),
            layered_globals: false,
        })?;
        let on = |name: &str| std::env::var_os(name).is_some_and(|v| v == "1");
        lua.set_gc_quarantine(on("RILLE_GC_QUARANTINE"));
        lua.set_gc_stress(on("RILLE_GC_STRESS"));
        Ok(Machine {
            lua: Some(lua),
            host,
            max_instructions: options.max_instructions,
            deadline: options.timeout.map(|t| (Instant::now() + t, t)),
            check_heap: on("RILLE_GC_CHECK"),
            report: on("RILLE_REPORT"),
            stopped: Cell::new(false),
        })
    }

    pub fn lua(&self) -> &Lua {
        match &self.lua {
            Some(lua) => lua,
            None => unreachable!("the VM goes in `finish` only, which takes the machine"),
        }
    }

    /// Compiles a text.
    pub fn load(&self, text: &[u8], name: &str) -> std::result::Result<Function, Failure> {
        Ok(self.lua().load(text).set_name(name).into_function()?)
    }

    /// Compiles a file's text, or reads a binary chunk where those are allowed.
    pub fn load_file(&self, text: Vec<u8>, name: &str) -> std::result::Result<Function, Failure> {
        let text = rille_lua::skip_first_comment(text);
        let mode = if text.first() == Some(&0x1B) {
            rille_lua::ChunkMode::Binary
        } else {
            rille_lua::ChunkMode::Text
        };
        Ok(self
            .lua()
            .load(text)
            .set_name(name)
            .set_mode(mode)
            .into_function()?)
    }

    /// Calls a function as the main program, under the limits.
    pub fn call(
        &self,
        f: &Function,
        args: impl IntoLuaMulti,
    ) -> std::result::Result<MultiValue, Failure> {
        let thread = self.lua().create_thread(f.clone())?;
        thread.set_main(true);
        let stop = |reason, text: String| {
            self.stopped.set(true);
            let position = thread.current_line();
            thread.terminate(reason, CLOSING_FUEL);
            self.lua().set_closing_fuel(CLOSING_FUEL);
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
                Outcome::Done(values) | Outcome::Yielded(values) => return Ok(values),
                Outcome::Error(e) => return Err(e.into()),
                Outcome::Terminated(reason) => return Err(Failure::Limit(reason.to_string())),
                Outcome::Preempted => None,
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
                None => thread.continue_with_fuel(fuel),
            };
        }
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

    /// Says on standard error what went wrong; returns the exit code it means.
    pub fn report(&self, program: Option<&str>, failure: &Failure) -> u8 {
        let (text, code) = match failure {
            Failure::Error(e) => (e.to_string(), 1),
            Failure::Message(text) => (text.clone(), 1),
            Failure::Limit(text) => (text.clone(), 70),
        };
        let line = match program {
            Some(program) => format!("{program}: {text}\n"),
            None => format!("{text}\n"),
        };
        let _ = self.host.write_err(line.as_bytes());
        code
    }

    /// Writes what a prompt shows.
    pub fn show(&self, text: &str) {
        let _ = self.host.write_out(text.as_bytes());
        let _ = self.host.flush_out();
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
        drop(self.lua.take());
        if self.report {
            let line = super::report::line(fuel_used, self.max_instructions);
            let _ = self.host.write_err(line.as_bytes());
        }
        let _ = self.host.flush_out();
        code
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// What a sandboxed script gets from outside: a clock, randomness, the standard streams.
#[derive(Default)]
struct SandboxedHost(StdHost);

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

/// The process's own host, with the variables that say where modules are hidden (`-E`).
#[derive(Default)]
struct NoSearchPaths(StdHost);

impl Host for NoSearchPaths {
    fn env_var(&self, name: &[u8]) -> Option<Vec<u8>> {
        if name.starts_with(b"LUA_PATH") || name.starts_with(b"LUA_CPATH") {
            None
        } else {
            self.0.env_var(name)
        }
    }
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
    fn set_out_buffering(&self, mode: rille_lua::Buffering) -> std::io::Result<()> {
        self.0.set_out_buffering(mode)
    }
    fn write_err(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_err(bytes)
    }
    fn read_in(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read_in(buffer)
    }
    fn seek_stream(
        &self,
        stream: rille_lua::StdStream,
        to: std::io::SeekFrom,
    ) -> std::io::Result<u64> {
        self.0.seek_stream(stream, to)
    }
    fn read_source(&self, path: &[u8]) -> Option<std::io::Result<Vec<u8>>> {
        self.0.read_source(path)
    }
    fn full_access(&self) -> bool {
        true
    }
}
