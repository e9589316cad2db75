//! `rille lua` with a user in front of it: the line editor on a pseudo terminal, its history, and Ctrl-C.
//!
//! **Invariant:** nothing here waits for a time; a program that does not do what it should is killed after a long one.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// After so much silence a program hangs.
const SILENCE: Duration = Duration::from_secs(120);

fn rille(state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rille"));
    command
        .arg("lua")
        .env_remove("LUA_INIT")
        .env_remove("LUA_INIT_5_4")
        .env("XDG_STATE_HOME", state)
        .env("TERM", "xterm");
    command
}

/// What a program writes, as it comes.
struct Output {
    pieces: Receiver<Vec<u8>>,
    seen: String,
}

impl Output {
    fn of(mut stream: impl Read + Send + 'static) -> Output {
        let (send, pieces) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // A terminal whose other side is closed fails to read: that is its end.
            while let Ok(n @ 1..) = stream.read(&mut piece) {
                if send.send(piece[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Output {
            pieces,
            seen: String::new(),
        }
    }

    /// Reads up to and with a text; what was read is forgotten.
    fn expect(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self.pieces.recv_timeout(SILENCE) {
                Ok(piece) => self.seen += &String::from_utf8_lossy(&piece),
                Err(_) => panic!("no {text:?} in {:?}", self.seen),
            }
        }
    }
}

/// A program on a pseudo terminal.
struct Terminal {
    child: Child,
    keys: File,
    screen: Output,
}

impl Terminal {
    fn start(command: &mut Command) -> Terminal {
        let pty = nix::pty::openpty(None, None).expect("a pseudo terminal");
        let slave = |fd: &std::os::fd::OwnedFd| Stdio::from(fd.try_clone().expect("a descriptor"));
        let child = command
            .stdin(slave(&pty.slave))
            .stdout(slave(&pty.slave))
            .stderr(slave(&pty.slave))
            .spawn()
            .expect("the program starts");
        // The command keeps copies of the terminal's side, which would keep it open.
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        drop(pty.slave);
        let keys = File::from(pty.master);
        let screen = Output::of(keys.try_clone().expect("a descriptor"));
        Terminal {
            child,
            keys,
            screen,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
    }

    /// Presses keys and Enter, waits for what the line prints, and for the next prompt: keys that come before it are not the
    /// editor's.
    fn enter(&mut self, keys: &str, shown: &str) {
        self.press(keys);
        self.press("\r");
        self.screen.expect(&format!("\n{shown}"));
        self.screen.expect("> ");
    }

    /// Ends the session with Ctrl-D at the prompt; returns the exit code.
    fn end(mut self) -> Option<i32> {
        self.press("\x04");
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn lines_are_edited_and_remembered() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let mut t = Terminal::start(&mut rille(state.path()));
    t.screen.expect("Lua 5.4");
    t.screen.expect("> ");
    // The line begins wrong, and the cursor goes back to mend it.
    t.enter("0 + 40\x01\x1b[C\x7f2", "42");
    // Output without a line's end stays visible.
    t.enter("io.stdout:write('kept') return 5", "kept5\r\n");
    t.enter("io.write('kept') x = 1", "kept\r\n");
    // Tab completes; no metamethod runs for it.
    t.enter(
        "t = setmetatable({}, {__index = function() os.exit(8) end}) print(1 + 2)",
        "3",
    );
    t.enter("string.pac\tk\x7fsize('i4')", "4");
    t.press("t.none.\t\x15");
    // More lines; the whole is one entry of the history.
    t.press("for i = 7, 8 do\r");
    t.screen.expect(">> ");
    t.enter("print(i * 11) end", "77\r\n88");
    t.enter("\x1b[A", "77\r\n88");
    assert_eq!(t.end(), Some(0));
    // Another session remembers, also what the first one did not live to save at its end.
    let file = state.path().join("rille/lua_history");
    let history = std::fs::read_to_string(&file).expect("a history");
    assert!(
        history.contains("2 + 40") && history.contains("packsize"),
        "{history}"
    );
    let mut t = Terminal::start(&mut rille(state.path()));
    t.screen.expect("> ");
    // Up, and up through the two lines of the loop.
    t.enter("\x1b[A\x1b[A\x1b[A", "4");
    // What is typed ahead is not lost.
    t.press("x = 20\rx = x + 1\rif x then\r");
    t.enter("print(x * 2) end", "42");
    t.press("os.exit(9)\r");
    assert_eq!(t.child.wait().expect("it ends").code(), Some(9));
    let history = std::fs::read_to_string(&file).expect("a history");
    assert!(history.contains("os.exit(9)"), "{history}");
}

#[test]
fn a_history_that_cannot_be_kept_is_no_error() {
    let state = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(state.path().join("rille"), "not a folder").expect("a file");
    let mut t = Terminal::start(&mut rille(state.path()));
    t.screen.expect("> ");
    t.enter("6 * 7", "42");
    assert_eq!(t.end(), Some(0));
}

#[test]
fn the_history_is_bounded() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let folder = state.path().join("rille");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("lua_history");
    let old: String = (0..3000).map(|i| format!("x = {i}\n")).collect();
    std::fs::write(&file, old).expect("a file");
    let mut t = Terminal::start(&mut rille(state.path()));
    t.screen.expect("> ");
    t.enter("'ne' .. 'w'", "new");
    assert_eq!(t.end(), Some(0));
    let history = std::fs::read_to_string(&file).expect("a history");
    assert!(history.contains("'ne' .. 'w'") && history.contains("x = 2999"));
    let entries = history.lines().count();
    assert!(entries <= 1002, "{entries} lines");
}

#[test]
fn ctrl_c_at_the_prompt() {
    let state = tempfile::tempdir().expect("a temporary folder");
    let mut t = Terminal::start(&mut rille(state.path()));
    t.screen.expect("> ");
    // It gives up what was typed, ...
    t.press("for i = 1, 2 do\r");
    t.screen.expect(">> ");
    t.press("print('no\x03");
    t.screen.expect("\n");
    t.screen.expect("> ");
    t.enter("'still ' .. 'here'", "still here");
    // ... and interrupts what runs (as a signal: this terminal is not the program's own).
    t.press("print('be' .. 'gun') while true do end\r");
    t.screen.expect("begun");
    interrupt(&t.child);
    t.screen.expect("interrupted!");
    t.screen.expect("stack traceback");
    t.screen.expect("> ");
    t.enter("1 + 1", "2");
    assert_eq!(t.end(), Some(0));
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    kill(pid, Signal::SIGINT).expect("a signal is sent");
}

/// Starts a script and waits for its first line.
fn running(code: &str) -> (Child, Output) {
    let state = tempfile::tempdir().expect("a temporary folder");
    let mut child = rille(state.path())
        .args(["-e", code])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut output = Output::of(child.stdout.take().expect("piped"));
    output.expect("started\n");
    (child, output)
}

#[test]
fn an_interrupt_is_an_error_in_the_script() {
    for (code, message) in [
        // The position is that of the function that called the interrupted one.
        (
            "print 'started' while true do end",
            "lua: interrupted!\nstack traceback:\n\t(command line):1: in main chunk\n\t[C]: in ?\n",
        ),
        (
            "local function f() while true do end end print 'started' f()",
            "lua: (command line):1: interrupted!\nstack traceback:\n\t(command line):1: in local 'f'\n\t(command line):1: in main chunk\n\t[C]: in ?\n",
        ),
    ] {
        let (child, _output) = running(code);
        interrupt(&child);
        let ended = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&ended.stderr), message);
        assert_eq!(ended.status.code(), Some(1));
    }
    // Library functions that take long, coroutines, sort comparators, patterns.
    for code in [
        "print 'started' while true do coroutine.wrap(function() while true do end end)() end",
        "print 'started' table.sort({3, 2, 1}, function() while true do end end)",
        "print 'started' string.gsub(('x'):rep(1e6), '', function() for i = 1, 1e9 do end end)",
        "print 'started' for i = 1, 1e15 do string.rep('x', 1000) end",
    ] {
        let (child, _output) = running(code);
        interrupt(&child);
        let ended = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert!(stderr.contains("interrupted!"), "{code}: {stderr}");
        assert_eq!(ended.status.code(), Some(1));
    }
}

#[test]
fn an_interrupt_can_be_caught_and_the_next_one_ends_the_program() {
    let (child, mut output) =
        running("print(pcall(function() print 'started' while true do end end)) while true do end");
    interrupt(&child);
    output.expect("false\tinterrupted!\n");
    interrupt(&child);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.signal(), Some(Signal::SIGINT as i32));
}
