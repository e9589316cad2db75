//! lua(1)'s command line, and Rille's own options in front of the script.
//!
//! It is not clap's kind of command line: `-estat` and `-e stat` are the same, `-` is a script, options end at the script.

use rille_lua::{Dialect, UnknownDialect};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// What lua(1) prints when it does not understand its arguments.
pub fn usage(program: &str) -> String {
    format!("usage: {program} [options] [script [args]]\n{OPTIONS}")
}

const OPTIONS: &str = "\
Available options are:
  -e stat   execute string 'stat'
  -i        enter interactive mode after executing 'script'
  -l mod    require library 'mod' into global 'mod'
  -l g=mod  require library 'mod' into global 'g'
  -v        show version information
  -E        ignore environment variables
  -W        turn warnings on
  --        stop handling options
  -         stop handling options and execute stdin
";

/// Rille's own options.
pub const LIMITS_USAGE: &str = "\
  --sandbox               only libraries that reach nothing outside
  --max-memory SIZE       most memory the script may use, such as 64MiB
  --max-instructions N    most instructions the script may run
  --timeout TIME          most time the script may take, such as 5s
  --strict                refuse what the reference refuses (for its test suite)
  --dialect VERSION       the language's version: 5.1, 5.2, 5.3, 5.4 (the default) or 5.5
  --disassemble FILE      show the bytecode of FILE
A limit that ends the script is exit code 70.
";

/// Something to do before the script.
pub enum Action {
    Execute(OsString),
    Require { global: Vec<u8>, module: Vec<u8> },
    WarningsOn,
}

/// Where the script is.
pub enum Source {
    None,
    File(OsString),
    Stdin,
}

/// The command line.
pub struct Options {
    pub actions: Vec<Action>,
    pub source: Source,
    /// Index of the script in the arguments.
    pub script_at: Option<usize>,
    pub interactive: bool,
    pub version: bool,
    pub ignore_environment: bool,
    pub help: bool,
    pub sandbox: bool,
    pub strict: bool,
    pub dialect: Dialect,
    pub max_memory_bytes: Option<usize>,
    pub max_instructions: Option<u64>,
    pub timeout: Option<Duration>,
    pub disassemble: Option<OsString>,
}

impl Options {
    /// Whether there is an `-e`.
    pub fn executes(&self) -> bool {
        self.actions.iter().any(|a| matches!(a, Action::Execute(_)))
    }
}

/// Reads the arguments of a program whose name has this version in it; the error is for the user.
pub fn parse(version: &str, args: &[OsString]) -> Result<Options, String> {
    let dialect = match version {
        "" => Dialect::default(),
        version => choose_dialect(version)?,
    };
    let mut options = Options {
        dialect,
        actions: Vec::new(),
        source: Source::None,
        script_at: None,
        interactive: false,
        version: false,
        ignore_environment: false,
        help: false,
        sandbox: false,
        strict: false,
        max_memory_bytes: None,
        max_instructions: None,
        timeout: None,
        disassemble: None,
    };
    let mut at = 0;
    while at < args.len() {
        let arg = &args[at];
        match arg.as_encoded_bytes() {
            b"-" => {
                options.source = Source::Stdin;
                options.script_at = Some(at);
                return Ok(options);
            }
            b"--" => {
                at += 1;
                break;
            }
            [b'-', b'-', ..] => at = long_option(&mut options, args, at)?,
            [b'-', ..] => at = short_option(&mut options, args, at)?,
            _ => break,
        }
    }
    if at < args.len() {
        options.source = Source::File(args[at].clone());
        options.script_at = Some(at);
    }
    Ok(options)
}

/// `-x`; returns the index of the next argument.
fn short_option(options: &mut Options, args: &[OsString], at: usize) -> Result<usize, String> {
    let arg = args[at].as_encoded_bytes();
    let unrecognized = || format!("unrecognized option '{}'", args[at].display());
    match arg[1] {
        b'e' | b'l' => {
            let (value, next) = if arg.len() > 2 {
                (
                    <OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&arg[2..]).to_owned(),
                    at + 1,
                )
            } else {
                match args.get(at + 1) {
                    Some(value) if value.as_encoded_bytes().first() != Some(&b'-') => {
                        (value.clone(), at + 2)
                    }
                    _ => return Err(format!("'{}' needs argument", args[at].display())),
                }
            };
            options.actions.push(if arg[1] == b'e' {
                Action::Execute(value)
            } else {
                library(&value)
            });
            return Ok(next);
        }
        _ if arg.len() > 2 => return Err(unrecognized()),
        b'i' => {
            options.interactive = true;
            options.version = true;
        }
        b'v' => options.version = true,
        b'E' => options.ignore_environment = true,
        b'W' => options.actions.push(Action::WarningsOn),
        _ => return Err(unrecognized()),
    }
    Ok(at + 1)
}

/// `-l mod` and `-l g=mod`; in the first, what follows a `-` is not part of the global's name.
fn library(value: &OsStr) -> Action {
    let text = value.as_encoded_bytes();
    let up_to = |mark: u8| text.iter().position(|b| *b == mark);
    let (global, module) = match (up_to(b'='), up_to(b'-')) {
        (Some(at), _) => (&text[..at], &text[at + 1..]),
        (None, Some(at)) => (&text[..at], text),
        (None, None) => (text, text),
    };
    Action::Require {
        global: global.to_owned(),
        module: module.to_owned(),
    }
}

/// Takes the language's version, from the program's name or `--dialect`.
fn choose_dialect(version: &str) -> Result<Dialect, String> {
    version
        .parse()
        .map_err(|e: UnknownDialect| format!("'--dialect {version}': {e}"))
}

/// `--name value` and `--name=value`; returns the index of the next argument.
fn long_option(options: &mut Options, args: &[OsString], at: usize) -> Result<usize, String> {
    let text = args[at].to_string_lossy().into_owned();
    let (name, glued) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (&*text, None),
    };
    let flag = match name {
        "--sandbox" => Some(&mut options.sandbox),
        "--strict" => Some(&mut options.strict),
        "--help" => Some(&mut options.help),
        "--version" => Some(&mut options.version),
        _ => None,
    };
    if let Some(flag) = flag {
        if glued.is_some() {
            return Err(format!("'{name}' takes no value"));
        }
        *flag = true;
        return Ok(at + 1);
    }
    if ![
        "--max-memory",
        "--max-instructions",
        "--timeout",
        "--dialect",
        "--disassemble",
    ]
    .contains(&name)
    {
        return Err(format!("unrecognized option '{text}'"));
    }
    let next = if glued.is_some() { at + 1 } else { at + 2 };
    let Some(value) = glued.or_else(|| args.get(at + 1).map(|v| v.to_string_lossy().into_owned()))
    else {
        return Err(format!("'{name}' needs argument"));
    };
    let wrong = |problem: String| format!("'{name} {value}': {problem}");
    match name {
        "--max-memory" => {
            let bytes = rille_runtime::units::parse_size(&value).map_err(wrong)?;
            options.max_memory_bytes = Some(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
        "--max-instructions" => {
            let digits = value.replace('_', "");
            let n = digits
                .parse::<u64>()
                .map_err(|_| wrong("a number of instructions is expected".to_owned()))?;
            options.max_instructions = Some(n);
        }
        "--timeout" => {
            options.timeout = Some(rille_runtime::units::parse_duration(&value).map_err(wrong)?)
        }
        "--dialect" => options.dialect = choose_dialect(&value)?,
        _ => options.disassemble = Some(OsString::from(&value)),
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Options, String> {
        parse("", &args.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn options_end_at_the_script() {
        let o = parsed(&["-e", "x=1", "-lm", "-l", "g=mod", "s.lua", "-e", "y"]).unwrap();
        assert_eq!(o.script_at, Some(5));
        assert_eq!(o.actions.len(), 3);
        assert!(
            matches!(&o.actions[2], Action::Require { global, module } if global == b"g" && module == b"mod")
        );
    }

    #[test]
    fn rille_options_mix_in() {
        let o = parsed(&[
            "--max-memory",
            "64MiB",
            "-e",
            "x",
            "--timeout=5s",
            "--sandbox",
            "--",
            "-odd",
        ])
        .unwrap();
        assert_eq!(o.max_memory_bytes, Some(64 << 20));
        assert_eq!(o.timeout, Some(Duration::from_secs(5)));
        assert!(o.sandbox);
        assert!(matches!(&o.source, Source::File(f) if f == "-odd"));
    }

    #[test]
    fn globals_of_libraries_have_no_version() {
        let names = |option: &str| match parsed(&["-l", option]).unwrap().actions.pop() {
            Some(Action::Require { global, module }) => (global, module),
            _ => panic!("no library"),
        };
        assert_eq!(names("m"), (b"m".to_vec(), b"m".to_vec()));
        assert_eq!(names("m-v2"), (b"m".to_vec(), b"m-v2".to_vec()));
        assert_eq!(names("g=m-v2"), (b"g".to_vec(), b"m-v2".to_vec()));
        assert_eq!(names("g-1=m=n"), (b"g-1".to_vec(), b"m=n".to_vec()));
    }

    #[test]
    fn the_name_chooses_the_language() {
        for (version, dialect) in [
            ("", Dialect::Lua54),
            ("5.1", Dialect::Lua51),
            ("5.5", Dialect::Lua55),
        ] {
            assert_eq!(parse(version, &[]).map(|o| o.dialect), Ok(dialect));
        }
        let args = ["--dialect", "5.2"].map(OsString::from);
        assert_eq!(parse("5.1", &args).map(|o| o.dialect), Ok(Dialect::Lua52));
    }

    #[test]
    fn mistakes_are_named() {
        for (args, expected) in [
            (&["-x"][..], "unrecognized option '-x'"),
            (&["-h"], "unrecognized option '-h'"),
            (&["-e"], "'-e' needs argument"),
            (&["-l", "-e"], "'-l' needs argument"),
            (&["---"], "unrecognized option '---'"),
            (&["-vi"], "unrecognized option '-vi'"),
            (&["--nope"], "unrecognized option '--nope'"),
            (
                &["--dialect", "5.6"],
                "'--dialect 5.6': the versions are 5.1, 5.2, 5.3, 5.4 and 5.5",
            ),
            (
                &["--max-instructions", "many"],
                "'--max-instructions many': a number of instructions is expected",
            ),
        ] {
            assert_eq!(parsed(args).err().as_deref(), Some(expected), "{args:?}");
        }
    }
}
