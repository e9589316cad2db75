//! `rille lua`, or this program under the name `lua`: lua(1), with limits.
//!
//! | file | what |
//! |---|---|
//! | this one | the order of things: LUA_INIT, options, script, prompt; the exit code |
//! | `args` | the command line |
//! | `machine` | the VM, its limits, and running a function under them |
//! | `interrupt` | Ctrl-C |
//! | `prompt` | interactive input |
//! | `editor`, `complete` | its line editor, on a terminal |
//! | `report` | what a run has used, for `cargo xtask attacks` |
//!
//! **Invariant:** whatever a script does, this ends with an exit code: 0, 1 the script failed (or the command line is wrong, as
//! lua(1) has it), 3 the heap checker found something (test runs), 70 a limit ended it. Without a limit, everything that a
//! script or a user can tell is as lua(1) does it.

mod args;
mod complete;
mod editor;
mod interrupt;
mod machine;
mod prompt;
mod report;

use args::{Action, Options, Source};
use machine::{Failure, Machine};
use rille_lua::{Dialect, MultiValue, Table, Value};
use std::ffi::{OsStr, OsString};
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

/// The line that `-v` and the prompt show. The reference's ends in the same words, and programs look for them.
fn version_line(dialect: Dialect) -> String {
    let rille = env!("CARGO_PKG_VERSION");
    format!("Lua {dialect} (Rille {rille}), the language of Lua.org, PUC-Rio\n")
}

/// How the program was started.
pub struct Invocation {
    /// What stands in front of the name: `rille` in `rille lua`.
    pub before: Option<OsString>,
    /// The name, which messages begin with.
    pub program: OsString,
    /// The language's version in the name, or nothing.
    pub version: String,
}

impl Invocation {
    fn name(&self) -> &[u8] {
        match self.program.as_encoded_bytes() {
            b"" => b"lua",
            name => name,
        }
    }
}

/// Runs lua(1) with these arguments (without the program's own name).
pub fn run(invocation: &Invocation, args: &[OsString]) -> ExitCode {
    let name = String::from_utf8_lossy(invocation.name());
    let options = match args::parse(&invocation.version, args) {
        Ok(options) => options,
        Err(problem) => {
            let usage = args::usage(&name);
            let _ = write!(std::io::stderr(), "{name}: {problem}\n{usage}");
            return ExitCode::FAILURE;
        }
    };
    if options.help {
        let usage = args::usage(&name);
        let _ = write!(std::io::stdout(), "{usage}{}", args::LIMITS_USAGE);
        return ExitCode::SUCCESS;
    }
    if let Some(file) = &options.disassemble {
        return disassemble(&name, file, &options);
    }
    let machine = match Machine::new(&options) {
        Ok(machine) => machine,
        Err(error) => {
            let text = format!("{name}: cannot create state: {}\n", error.message());
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::from(if error.is_limit() { 70 } else { 1 });
        }
    };
    let session = Session {
        machine: &machine,
        options: &options,
        invocation,
        args,
    };
    let code = match session.run() {
        Ok(code) => code,
        Err(failure) => machine.report(Some(invocation.name()), &failure),
    };
    ExitCode::from(machine.finish(code))
}

/// Everything between the start of the VM and its end.
struct Session<'a> {
    machine: &'a Machine,
    options: &'a Options,
    invocation: &'a Invocation,
    args: &'a [OsString],
}

impl Session<'_> {
    fn run(&self) -> Result<u8, Failure> {
        let (machine, options) = (self.machine, self.options);
        if options.version {
            machine.show(version_line(options.dialect).as_bytes());
        }
        self.set_arg_table()?;
        if !options.ignore_environment && !options.sandbox {
            self.run_init()?;
        }
        for action in &options.actions {
            match action {
                Action::Execute(text) => {
                    let f = machine.load(text.as_encoded_bytes(), "=(command line)")?;
                    machine.call(&f, MultiValue::new())?;
                }
                Action::Require { global, module } => self.require(global, module)?,
                Action::WarningsOn => machine.lua().set_warnings(true),
            }
        }
        match &options.source {
            Source::File(path) => self.run_script(Some(path))?,
            Source::Stdin => self.run_script(None)?,
            Source::None => {}
        }
        if options.interactive {
            return Ok(prompt::run(machine));
        }
        if matches!(options.source, Source::None) && !options.executes() && !options.version {
            if std::io::stdin().is_terminal() {
                machine.show(version_line(options.dialect).as_bytes());
                return Ok(prompt::run(machine));
            }
            // The reference reports an error in there and is content.
            let ran = self
                .load_file(None)
                .and_then(|f| machine.call(&f, MultiValue::new()));
            return Ok(match ran {
                Ok(_) => 0,
                Err(failure) => match machine.report(Some(self.invocation.name()), &failure) {
                    1 => 0,
                    limit => limit,
                },
            });
        }
        Ok(0)
    }

    /// The global `arg`: the script at 0, its arguments above, the program and its options below. Without a script the
    /// program is at 0.
    fn set_arg_table(&self) -> rille_lua::Result<()> {
        let lua = self.machine.lua();
        let table: Table = lua.create_table()?;
        let script = self.options.script_at.map_or(0, |at| at as i64 + 1);
        let words = self.invocation.before.iter();
        let first = -script - self.invocation.before.is_some() as i64;
        let words = words.chain([&self.invocation.program]).chain(self.args);
        for (at, word) in (first..).zip(words) {
            table.raw_set(at, lua.create_string(word.as_encoded_bytes())?)?;
        }
        lua.globals().raw_set("arg", table)
    }

    /// LUA_INIT with a version behind it, such as LUA_INIT_5_4, or LUA_INIT: code, or `@` and a file.
    fn run_init(&self) -> Result<(), Failure> {
        let dialect = self.options.dialect;
        let versioned = format!("LUA_INIT_{}", dialect.number().replace('.', "_"));
        // In 5.1 there is only the one.
        let names = [&*versioned, "LUA_INIT"];
        for name in &names[usize::from(dialect == Dialect::Lua51)..] {
            let Some(value) = std::env::var_os(name) else {
                continue;
            };
            let f = match value.as_encoded_bytes() {
                [b'@', path @ ..] => self.load_file(Some(os_str(path)))?,
                text => self.machine.load(text, &format!("={name}"))?,
            };
            return self.machine.call(&f, MultiValue::new()).map(drop);
        }
        Ok(())
    }

    fn require(&self, global: &[u8], module: &[u8]) -> Result<(), Failure> {
        let lua = self.machine.lua();
        let require = self.machine.global("require")?;
        let module = Value::String(lua.create_string(module)?);
        let mut results = self
            .machine
            .call(&require, MultiValue::from_vec(vec![module]))?;
        let module = results.pop_front().unwrap_or_default();
        self.machine.set_global(global, module)
    }

    /// Runs a file, or standard input, with the elements of `arg` as its arguments.
    fn run_script(&self, path: Option<&OsString>) -> Result<(), Failure> {
        let f = self.load_file(path.map(OsString::as_os_str))?;
        let Value::Table(arg) = self.machine.global("arg")? else {
            return Err(Failure::message("'arg' is not a table"));
        };
        let n = self.machine.length(&arg)?;
        let mut values = MultiValue::new();
        for i in 1..=n {
            values.push_back(arg.raw_get(i)?);
        }
        self.machine.call(&f, values).map(drop)
    }

    /// Compiles a file, or standard input.
    fn load_file(&self, path: Option<&OsStr>) -> Result<Value, Failure> {
        let mut text = Vec::new();
        let Some(path) = path else {
            std::io::stdin()
                .lock()
                .read_to_end(&mut text)
                .map_err(|e| Failure::message(format!("cannot read stdin: {}", reason(&e))))?;
            return self.machine.load_file(text, "=stdin");
        };
        let failed = |what: &str, e: std::io::Error| {
            let path = path.as_encoded_bytes();
            let reason = reason(&e);
            Failure::Message(
                [
                    b"cannot ",
                    what.as_bytes(),
                    b" ",
                    path,
                    b": ",
                    reason.as_bytes(),
                ]
                .concat(),
            )
        };
        let mut file = std::fs::File::open(path).map_err(|e| failed("open", e))?;
        file.read_to_end(&mut text).map_err(|e| failed("read", e))?;
        self.machine
            .load_file(text, &format!("@{}", path.display()))
    }
}

fn os_str(bytes: &[u8]) -> &OsStr {
    <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes)
}

/// The operating system's words for an error, without Rust's "(os error 2)".
fn reason(e: &std::io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn disassemble(program: &str, file: &OsStr, options: &Options) -> ExitCode {
    let shown = file.display();
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(e) => {
            let reason = reason(&e);
            let _ = writeln!(
                std::io::stderr(),
                "{program}: cannot open {shown}: {reason}"
            );
            return ExitCode::FAILURE;
        }
    };
    let text = rille_lua::skip_first_comment(text);
    let name = format!("@{shown}");
    let compiled = if options.strict {
        rille_lua::compile_strict(text, name, options.dialect)
    } else {
        rille_lua::compile_as(text, name, options.dialect)
    };
    match compiled {
        Ok(chunk) => {
            let written = std::io::stdout().write_all(rille_lua::disassemble(&chunk).as_bytes());
            if written.is_ok() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "{program}: {e}");
            ExitCode::FAILURE
        }
    }
}
