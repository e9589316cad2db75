//! A server program under test: started on a port of its own, known to accept before a test speaks to it, and gone
//! when the test is.
//!
//! **Invariant:** the child is killed when the value is dropped, and its output is read for as long as it lives, so a
//! test can quote the log and the server never blocks on it.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Exit, KillOnDrop};

/// How long a server may take to say where it listens and to accept there.
const START_LIMIT: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
}

/// A running server.
pub struct Server {
    child: KillOnDrop,
    address: SocketAddr,
    log: Arc<Log>,
}

impl Server {
    /// Starts a server that was told to listen on port 0, and takes the address from the first line of its output that
    /// names one (`127.0.0.1:4711`, with or without `http://`).
    pub fn start(command: &mut Command) -> io::Result<Server> {
        Server::launch(command, None)
    }

    /// Starts a server that was told to listen on `address`.
    pub fn start_on(command: &mut Command, address: SocketAddr) -> io::Result<Server> {
        Server::launch(command, Some(address))
    }

    fn launch(command: &mut Command, address: Option<SocketAddr>) -> io::Result<Server> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = KillOnDrop(command.spawn()?);
        let log = Arc::new(Log::default());
        follow(child.0.stdout.take().expect("stdout was piped"), &log);
        follow(child.0.stderr.take().expect("stderr was piped"), &log);
        let deadline = Instant::now() + START_LIMIT;
        let address = match address {
            Some(address) => address,
            None => announced_address(&mut child, &log, deadline)?,
        };
        wait_until_accepting(address, &mut child, &log, deadline)?;
        Ok(Server {
            child,
            address,
            log,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id, for a test that measures or signals the process.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// What the server has printed so far, both streams in the order they were read.
    pub fn log(&self) -> String {
        text_of(&self.log)
    }

    /// Waits until a line of the log contains `text`, and returns that line.
    pub fn wait_for_log(&self, text: &str, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut lines = self.log.lines.lock().expect("readers do not panic");
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return Some(line.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self
                .log
                .grown
                .wait_timeout(lines, left)
                .expect("readers do not panic")
                .0;
        }
    }

    /// Asks the server to stop (SIGTERM) without waiting for it.
    pub fn terminate(&self) -> io::Result<()> {
        let status = Command::new("kill")
            .args(["-TERM", &self.id().to_string()])
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(io::Error::other("the server was gone already")),
        }
    }

    /// Waits for the server to end by itself. Past `limit` it is killed.
    pub fn wait(mut self, limit: Duration) -> io::Result<Exit> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.0.try_wait()? {
                return Ok(status.code().map_or(Exit::Signal(0), Exit::Code));
            }
            if Instant::now() >= deadline {
                return Ok(Exit::TimedOut);
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A port of the loopback interface that nothing listened on a moment ago.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn text_of(log: &Log) -> String {
    log.lines.lock().expect("readers do not panic").join("\n")
}

fn follow(pipe: impl Read + Send + 'static, log: &Arc<Log>) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            log.lines.lock().expect("readers do not panic").push(line);
            log.grown.notify_all();
        }
    });
}

fn announced_address(
    child: &mut KillOnDrop,
    log: &Log,
    deadline: Instant,
) -> io::Result<SocketAddr> {
    loop {
        let found = {
            let lines = log.lines.lock().expect("readers do not panic");
            lines.iter().find_map(|line| address_in(line))
        };
        if let Some(address) = found {
            return Ok(address);
        }
        still_starting(child, log, deadline, "named no address")?;
    }
}

fn wait_until_accepting(
    address: SocketAddr,
    child: &mut KillOnDrop,
    log: &Log,
    deadline: Instant,
) -> io::Result<()> {
    while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
        still_starting(child, log, deadline, "did not accept")?;
    }
    Ok(())
}

fn still_starting(
    child: &mut KillOnDrop,
    log: &Log,
    deadline: Instant,
    fault: &str,
) -> io::Result<()> {
    thread::sleep(Duration::from_millis(5));
    let gone = child.0.try_wait()?;
    if gone.is_none() && Instant::now() < deadline {
        return Ok(());
    }
    let how = gone.map_or("is still running".to_owned(), |status| {
        format!("ended: {status}")
    });
    let text = text_of(log);
    Err(io::Error::other(format!(
        "the server {fault} and {how}; its output:\n{text}"
    )))
}

/// The first word of a line that is a socket address.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split_whitespace().find_map(|word| {
        let word = word.rsplit('=').next().unwrap_or(word);
        let word = word.trim_start_matches("http://");
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '[');
        word.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_address_a_server_names() {
        let wanted = "127.0.0.1:4711".parse().ok();
        assert_eq!(
            address_in("listening on http://127.0.0.1:4711/ (1 app)"),
            wanted
        );
        assert_eq!(address_in("ready addr=127.0.0.1:4711, workers=2"), wanted);
        assert_eq!(address_in("[::1]:80 up"), "[::1]:80".parse().ok());
        assert_eq!(address_in("version 1.2.3 at 12:30"), None);
    }

    #[test]
    fn a_server_that_dies_is_reported_with_its_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo no such folder >&2; exit 1"]);
        let error = Server::start(&mut command).err().expect("it cannot start");
        assert!(error.to_string().contains("no such folder"), "{error}");
    }

    #[test]
    fn the_log_can_be_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            &format!("echo on http://{address}; sleep 0.05; echo late; exec sleep 30"),
        ]);
        let server = Server::start(&mut command).unwrap();
        assert_eq!(server.address(), address);
        let line = server.wait_for_log("late", Duration::from_secs(5));
        assert_eq!(line.as_deref(), Some("late"));
        assert!(
            server
                .wait_for_log("never", Duration::from_millis(20))
                .is_none()
        );
        server.terminate().unwrap();
        assert_eq!(
            server.wait(Duration::from_secs(5)).unwrap(),
            Exit::Signal(0)
        );
    }
}
