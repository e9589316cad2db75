//! The reference interpreters as processes that are fed programs through a pipe, one for each version of the language.
//!
//! **Invariant:** a reference that dies or does not answer is started anew and the case counts as not compared; it never
//! makes a finding and never stops the fuzzer.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rille_lua::Dialect;

use crate::machine::{DRIVER, Mode};
use crate::text::quote;

/// Set where a missing reference is an error (`cargo xtask test` installs those of 5.1 to 5.4, so there it is).
pub const REQUIRED_VARIABLE: &str = "RILLE_REFERENCE_REQUIRED";

const SERVE: &str = include_str!("reference.lua");
/// A program of the generator takes the reference milliseconds; one that takes this long is not compared.
const PATIENCE: Duration = Duration::from_secs(10);
/// The reference has no memory limit of its own.
const ADDRESS_SPACE_KIB: u32 = 2 << 20;

/// What is known of the reference of one version.
struct Reference {
    available: OnceLock<bool>,
    process: Mutex<Option<Process>>,
    answers: AtomicU64,
}

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

/// In the order of [`Dialect::ALL`].
static REFERENCES: [Reference; Dialect::ALL.len()] = [const {
    Reference {
        available: OnceLock::new(),
        process: Mutex::new(None),
        answers: AtomicU64::new(0),
    }
}; Dialect::ALL.len()];

fn reference(dialect: Dialect) -> &'static Reference {
    &REFERENCES[dialect as usize]
}

/// Names the interpreter to compare with, in place of the installed one.
pub const fn command_variable(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Lua51 => "RILLE_REFERENCE_5_1",
        Dialect::Lua52 => "RILLE_REFERENCE_5_2",
        Dialect::Lua53 => "RILLE_REFERENCE_5_3",
        Dialect::Lua54 => "RILLE_REFERENCE",
        Dialect::Lua55 => "RILLE_REFERENCE_5_5",
    }
}

/// The command that is compared with.
pub fn command(dialect: Dialect) -> String {
    std::env::var(command_variable(dialect)).unwrap_or_else(|_| format!("lua{dialect}"))
}

/// No distribution that the tests run on has 5.5 yet, so it is not among what they install.
fn is_required(dialect: Dialect) -> bool {
    std::env::var_os(REQUIRED_VARIABLE).is_some()
        && (dialect <= Dialect::Lua54 || std::env::var_os(command_variable(dialect)).is_some())
}

/// Whether there is a reference; says so once where there is none.
pub fn available(dialect: Dialect) -> bool {
    *reference(dialect).available.get_or_init(|| {
        let command = command(dialect);
        // 5.1 writes its version to standard error.
        let found = Command::new(&command).arg("-v").output().is_ok_and(|o| {
            let text = [o.stdout, o.stderr].concat();
            String::from_utf8_lossy(&text).contains(dialect.version())
        });
        if !found {
            let message = format!(
                "there is no reference interpreter `{command}` of {}",
                dialect.version()
            );
            assert!(!is_required(dialect), "{message}");
            eprintln!("{message}: programs run, but nothing is compared");
        }
        found
    })
}

/// How many programs the reference has answered for since the start.
pub fn answers(dialect: Dialect) -> u64 {
    reference(dialect).answers.load(Ordering::Relaxed)
}

/// What the reference makes of a program; `None`: there is none, or it gave no answer.
pub fn run(dialect: Dialect, source: &[u8], mode: Mode) -> Option<Vec<u8>> {
    if !available(dialect) {
        return None;
    }
    let reference = reference(dialect);
    let mut process = reference.process.lock().unwrap_or_else(|e| e.into_inner());
    if process.is_none() {
        *process = Some(start(dialect).expect("the reference starts"));
    }
    let answer = process.as_mut().and_then(|p| ask(p, source, mode));
    if answer.is_some() {
        reference.answers.fetch_add(1, Ordering::Relaxed);
    } else if let Some(mut dead) = process.take() {
        let _ = dead.child.kill();
        let _ = dead.child.wait();
    }
    answer
}

fn ask(process: &mut Process, source: &[u8], mode: Mode) -> Option<Vec<u8>> {
    let mut request = format!("{}\n{}\n", mode.name(), source.len()).into_bytes();
    request.extend_from_slice(source);
    process.requests.write_all(&request).ok()?;
    process.requests.flush().ok()?;
    process.answers.recv_timeout(PATIENCE).ok()
}

fn start(dialect: Dialect) -> std::io::Result<Process> {
    let (driver, serve) = (quote(DRIVER.as_bytes()), quote(SERVE.as_bytes()));
    // `load` of 5.1 takes functions only.
    let program = format!(
        "local load = loadstring or load load({serve}, '=serve')(load({driver}, '=driver')())"
    );
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\""))
        .arg(command(dialect))
        .arg("-e")
        .arg(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let requests = child.stdin.take().expect("stdin was piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout was piped"));
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while let Ok(1..) = stdout.read_line(&mut line) {
            let Ok(length) = line.trim().parse::<usize>() else {
                break;
            };
            line.clear();
            let mut answer = vec![0; length];
            if stdout.read_exact(&mut answer).is_err() || sender.send(answer).is_err() {
                break;
            }
        }
    });
    Ok(Process {
        child,
        requests,
        answers,
    })
}
