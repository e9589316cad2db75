//! Runs a program to its end with a time limit, and reports what it printed and how it ended.
//!
//! **Invariant:** a child never outlives the value that stands for it, and what it prints is drained as it runs, so
//! that a chatty child cannot block on a full pipe and a silent one cannot hang the test.

use std::fs;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What is kept of each output stream. A script that prints without end is killed by its time limit; its output is
/// counted but not stored past this.
const KEPT_OUTPUT_BYTES: usize = 8 << 20;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// Killed by a signal, which for Rille always means a crash.
    Signal(i32),
    /// Still running at its time limit, and killed by the runner.
    TimedOut,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
            Exit::TimedOut => write!(f, "still running at its time limit"),
        }
    }
}

/// What a finished program left.
#[derive(Debug)]
pub struct Outcome {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub elapsed: Duration,
    /// The largest resident set seen, in bytes; 0 where the system does not tell. It is sampled, so growth in the
    /// last milliseconds of a process may be missed.
    pub peak_rss_bytes: u64,
}

impl Outcome {
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A child that is killed and reaped when dropped.
#[derive(Debug)]
pub struct KillOnDrop(pub Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs `command` with `stdin` as its input, for at most `limit`.
pub fn run(command: &mut Command, stdin: &[u8], limit: Duration) -> io::Result<Outcome> {
    let started = Instant::now();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = KillOnDrop(command.spawn()?);
    let stdout = drain(child.0.stdout.take().expect("stdout was piped"));
    let stderr = drain(child.0.stderr.take().expect("stderr was piped"));
    let mut input = child.0.stdin.take().expect("stdin was piped");
    let bytes = stdin.to_vec();
    // On a thread of its own: a child that never reads must not block the runner. A broken pipe is the child's choice.
    thread::spawn(move || {
        let _ = input.write_all(&bytes);
    });

    let (exit, peak_rss_bytes) = wait(&mut child.0, started, limit)?;
    // A grandchild may hold the pipes open after the child is gone, so the wait for the rest is bounded too.
    let grace = Duration::from_secs(2);
    Ok(Outcome {
        exit,
        stdout: stdout.recv_timeout(grace).unwrap_or_default(),
        stderr: stderr.recv_timeout(grace).unwrap_or_default(),
        elapsed: started.elapsed(),
        peak_rss_bytes,
    })
}

fn wait(child: &mut Child, started: Instant, limit: Duration) -> io::Result<(Exit, u64)> {
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let mut pause = Duration::from_micros(200);
    loop {
        peak = peak.max(high_water_mark(&status_file));
        if let Some(status) = child.try_wait()? {
            return Ok((exit_of(status), peak));
        }
        if started.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok((Exit::TimedOut, peak));
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(4));
    }
}

#[cfg(unix)]
fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Signal(0),
    }
}

#[cfg(not(unix))]
fn exit_of(status: ExitStatus) -> Exit {
    status.code().map_or(Exit::Signal(0), Exit::Code)
}

/// The `VmHWM` line of a process's status file, in bytes.
fn high_water_mark(status_file: &str) -> u64 {
    let Ok(text) = fs::read_to_string(status_file) else {
        return 0;
    };
    text.lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|kib| kib.trim().parse::<u64>().ok())
        .map_or(0, |kib| kib * 1024)
}

fn drain(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 16 << 10];
        while let Ok(n) = pipe.read(&mut buffer) {
            if n == 0 {
                break;
            }
            let room = KEPT_OUTPUT_BYTES.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..n.min(room)]);
        }
        let _ = sender.send(kept);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, stdin: &str, limit: Duration) -> Outcome {
        run(
            Command::new("sh").args(["-c", script]),
            stdin.as_bytes(),
            limit,
        )
        .unwrap()
    }

    #[test]
    fn captures_both_streams_and_the_exit_code() {
        let out = shell(
            "cat; echo bad >&2; exit 7",
            "hello",
            Duration::from_secs(10),
        );
        assert_eq!(out.exit, Exit::Code(7));
        assert_eq!(out.stdout_text(), "hello");
        assert_eq!(out.stderr_text(), "bad\n");
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let out = shell("exec sleep 30", "", Duration::from_millis(50));
        assert_eq!(out.exit, Exit::TimedOut);
        assert!(out.elapsed < Duration::from_secs(10));
    }

    #[test]
    fn a_crash_is_told_from_an_exit_code() {
        let out = shell("kill -SEGV $$", "", Duration::from_secs(10));
        assert_eq!(out.exit, Exit::Signal(11));
    }

    #[test]
    fn output_larger_than_a_pipe_does_not_block() {
        let out = shell("head -c 1000000 /dev/zero", "", Duration::from_secs(10));
        assert_eq!(out.stdout.len(), 1_000_000);
    }
}
