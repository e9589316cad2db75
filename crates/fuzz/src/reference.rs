//! The reference interpreter as a process that is fed programs through a pipe.
//!
//! **Invariant:** a reference that dies or does not answer is started anew and the case counts as not compared; it never
//! makes a finding and never stops the fuzzer.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use crate::machine::{DRIVER, Mode};
use crate::text::quote;

/// Names the interpreter to compare with, in place of `lua5.4`.
pub const COMMAND_VARIABLE: &str = "RILLE_REFERENCE";
/// Set where a missing reference is an error (`cargo xtask test` installs it, so there it is).
pub const REQUIRED_VARIABLE: &str = "RILLE_REFERENCE_REQUIRED";

const SERVE: &str = include_str!("reference.lua");
/// A program of the generator takes the reference milliseconds; one that takes this long is not compared.
const PATIENCE: Duration = Duration::from_secs(10);
/// The reference has no memory limit of its own.
const ADDRESS_SPACE_KIB: u32 = 2 << 20;

struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<Vec<u8>>,
}

static PROCESS: Mutex<Option<Process>> = Mutex::new(None);

/// The command that is compared with.
pub fn command() -> String {
    std::env::var(COMMAND_VARIABLE).unwrap_or_else(|_| "lua5.4".into())
}

/// Whether there is a reference; says so once where there is none.
pub fn available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| {
        let output = Command::new(command()).arg("-v").output();
        let found = output.is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains("Lua 5.4"));
        if !found {
            let message = format!("there is no reference interpreter `{}`", command());
            assert!(std::env::var_os(REQUIRED_VARIABLE).is_none(), "{message}");
            eprintln!("{message}: programs run, but nothing is compared");
        }
        found
    })
}

/// What the reference makes of a program; `None`: there is none, or it gave no answer.
pub fn run(source: &[u8], mode: Mode) -> Option<Vec<u8>> {
    if !available() {
        return None;
    }
    let mut process = PROCESS.lock().unwrap_or_else(|e| e.into_inner());
    if process.is_none() {
        *process = Some(start().expect("the reference starts"));
    }
    let answer = process.as_mut().and_then(|p| ask(p, source, mode));
    if answer.is_none()
        && let Some(mut dead) = process.take()
    {
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

fn start() -> std::io::Result<Process> {
    let (driver, serve) = (quote(DRIVER.as_bytes()), quote(SERVE.as_bytes()));
    let program = format!("load({serve}, '=serve')(load({driver}, '=driver')())");
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(format!("ulimit -v {ADDRESS_SPACE_KIB}; exec \"$0\" \"$@\""))
        .arg(command())
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
