//! `rille lua`: a drop-in lua(1) with limits.
//!
//! | file | what |
//! |---|---|
//! | this one | the order of things: LUA_INIT, options, script, prompt; the exit code |
//! | `args` | the command line |
//! | `machine` | the VM, its limits, and running a function under them |
//! | `prompt` | interactive input |
//!
//! **Invariant:** whatever a script does, this ends with an exit code: 0, 1 the script failed, 2 usage, 3 the heap checker found
//! something (test runs), 70 a limit ended it.

mod args;
mod machine;
mod prompt;

use args::{Action, Options, Source};
use machine::{Failure, Machine};
use rille_lua::{Dialect, Function, Result, Table};
use std::ffi::OsString;
use std::io::{IsTerminal, Read, Write};
use std::process::ExitCode;

/// The name in messages, whatever the program was started as.
const PROGRAM: &str = "lua";
/// The line that `-v` and the prompt show.
const VERSION: &str = concat!("Lua 5.4 (Rille ", env!("CARGO_PKG_VERSION"), ")");

/// Runs lua(1) with these arguments (without the program's own name).
pub fn run(args: Vec<OsString>) -> ExitCode {
    let options = match args::parse(&args) {
        Ok(options) => options,
        Err(problem) => {
            let _ = write!(std::io::stderr(), "{PROGRAM}: {problem}\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    if options.help {
        let _ = write!(std::io::stdout(), "{}{}", args::USAGE, args::LIMITS_USAGE);
        return ExitCode::SUCCESS;
    }
    if let Some(file) = &options.disassemble {
        return disassemble(file, &options);
    }
    let machine = match Machine::new(&options) {
        Ok(machine) => machine,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{PROGRAM}: {}", error.message());
            return ExitCode::from(if error.is_limit() { 70 } else { 1 });
        }
    };
    let code = match session(&machine, &options, &args) {
        Ok(()) => 0,
        Err(failure) => machine.report(Some(PROGRAM), &failure),
    };
    ExitCode::from(machine.finish(code))
}

/// Everything between the start of the VM and its end.
fn session(
    machine: &Machine,
    options: &Options,
    args: &[OsString],
) -> std::result::Result<(), Failure> {
    if options.version {
        machine.show(&format!("{VERSION}\n"));
    }
    set_arg_table(machine, options, args)?;
    if !options.ignore_environment && !options.sandbox {
        run_init(machine)?;
    }
    for action in &options.actions {
        match action {
            Action::Execute(text) => {
                let f = machine.load(text.as_encoded_bytes(), "=(command line)")?;
                machine.call(&f, ())?;
            }
            Action::Require { global, module } => require(machine, global, module)?,
            Action::WarningsOn => machine.lua().set_warnings(true),
        }
    }
    match &options.source {
        Source::File(path) => run_script(machine, Script::File(path), script_args(options, args))?,
        Source::Stdin => run_script(machine, Script::Stdin, script_args(options, args))?,
        Source::None => {}
    }
    if options.interactive {
        prompt::run(machine, !options.version);
    } else if matches!(options.source, Source::None) && !options.executes() && !options.version {
        if std::io::stdin().is_terminal() {
            prompt::run(machine, true);
        } else {
            run_script(machine, Script::Stdin, &[])?;
        }
    }
    Ok(())
}

/// The arguments behind the script's name.
fn script_args<'a>(options: &Options, args: &'a [OsString]) -> &'a [OsString] {
    options.script_at.map_or(&[], |at| &args[at + 1..])
}

/// The global `arg`: the script at 0, its arguments above, the program and its options below.
fn set_arg_table(machine: &Machine, options: &Options, args: &[OsString]) -> Result<()> {
    let lua = machine.lua();
    let table: Table = lua.create_table()?;
    // The program itself counts as the argument before the first.
    let script = options.script_at.map_or(0, |at| at as i64 + 1);
    table.raw_set(-script, lua.create_string(PROGRAM)?)?;
    for (i, arg) in args.iter().enumerate() {
        table.raw_set(
            i as i64 + 1 - script,
            lua.create_string(arg.as_encoded_bytes())?,
        )?;
    }
    lua.globals().raw_set("arg", table)
}

/// LUA_INIT with the version behind it (which 5.1 does not have) or without: code, or `@` and a file.
fn run_init(machine: &Machine) -> std::result::Result<(), Failure> {
    let dialect = machine.lua().dialect();
    let versioned = (dialect >= Dialect::Lua52)
        .then(|| format!("LUA_INIT_{}", dialect.number().replace('.', "_")));
    for name in versioned.iter().map(String::as_str).chain(["LUA_INIT"]) {
        let Some(value) = std::env::var_os(name) else {
            continue;
        };
        return match value.as_encoded_bytes() {
            [b'@', path @ ..] => {
                let path = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path);
                run_script(machine, Script::File(path), &[])
            }
            text => {
                let f = machine.load(text, &format!("={name}"))?;
                machine.call(&f, ()).map(drop)
            }
        };
    }
    Ok(())
}

fn require(machine: &Machine, global: &str, module: &str) -> std::result::Result<(), Failure> {
    let globals = machine.lua().globals();
    let require: Function = globals.get("require")?;
    let mut results = machine.call(&require, module)?;
    globals.set(global, results.pop_front().unwrap_or_default())?;
    Ok(())
}

enum Script<'a> {
    File(&'a std::ffi::OsStr),
    Stdin,
}

fn run_script(
    machine: &Machine,
    script: Script<'_>,
    args: &[OsString],
) -> std::result::Result<(), Failure> {
    let f = match script {
        Script::File(path) => {
            let text = std::fs::read(path).map_err(|e| {
                Failure::Message(format!("cannot open {}: {}", path.display(), reason(&e)))
            })?;
            machine.load_file(text, &format!("@{}", path.display()))?
        }
        Script::Stdin => {
            let mut text = Vec::new();
            std::io::stdin()
                .lock()
                .read_to_end(&mut text)
                .map_err(|e| Failure::Message(format!("cannot read stdin: {}", reason(&e))))?;
            machine.load_file(text, "=stdin")?
        }
    };
    let lua = machine.lua();
    let mut values = rille_lua::MultiValue::with_capacity(args.len());
    for arg in args {
        values.push_back(rille_lua::Value::String(
            lua.create_string(arg.as_encoded_bytes())?,
        ));
    }
    machine.call(&f, values).map(drop)
}

/// The operating system's words for an error, without Rust's "(os error 2)".
fn reason(e: &std::io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or_default()
        .to_owned()
}

fn disassemble(file: &std::ffi::OsStr, options: &Options) -> ExitCode {
    let shown = file.display();
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(e) => {
            let _ = writeln!(
                std::io::stderr(),
                "{PROGRAM}: cannot open {shown}: {}",
                reason(&e)
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
            let _ = writeln!(std::io::stderr(), "{PROGRAM}: {e}");
            ExitCode::FAILURE
        }
    }
}
