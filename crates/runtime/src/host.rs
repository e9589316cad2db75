//! What the sandboxed library may ask of the process: the clock, randomness, the app's own `[env]` and
//! its log. No files, no process, no environment of the server.
//!
//! **Invariant:** nothing here reads the host's file system or environment; what an app gets from
//! outside was in its manifest.

use crate::app::App;
use crate::log::{AppLog, Level};
use rille_lua::Host;
use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Bytes of an unfinished line kept; a longer one is written in pieces.
const LINE: usize = 4096;

/// The host of an app's VM.
pub struct SandboxHost {
    app: Arc<App>,
    log: Rc<AppLog>,
    started: Instant,
    /// What was written by `io.write` and has no newline yet.
    line: RefCell<Vec<u8>>,
}

impl SandboxHost {
    /// The host of `app`, which writes to `log`.
    pub fn new(app: Arc<App>, log: Rc<AppLog>) -> SandboxHost {
        SandboxHost {
            app,
            log,
            started: Instant::now(),
            line: RefCell::default(),
        }
    }

    fn emit(&self, level: Level, line: &[u8]) {
        self.log.script(level, &String::from_utf8_lossy(line));
    }
}

impl Host for SandboxHost {
    fn random_seed(&self) -> u64 {
        getrandom::u64().unwrap_or_else(|_| {
            // The system refuses: hash keys need to be unguessable more than we need to stop.
            use std::hash::{BuildHasher, Hasher};
            std::hash::RandomState::new().build_hasher().finish()
        })
    }

    fn unix_time(&self) -> f64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |now| now.as_secs_f64())
    }

    fn cpu_time(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    fn env_var(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = std::str::from_utf8(name).ok()?;
        self.app
            .manifest
            .env
            .get(name)
            .map(|value| value.clone().into_bytes())
    }

    fn write_out(&self, bytes: &[u8]) -> io::Result<()> {
        let mut line = self.line.borrow_mut();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    line.extend_from_slice(end);
                    self.emit(Level::Info, &line);
                    line.clear();
                }
                None => line.extend_from_slice(piece),
            }
            if line.len() > LINE {
                self.emit(Level::Info, &line);
                line.clear();
            }
        }
        Ok(())
    }

    fn flush_out(&self) -> io::Result<()> {
        let line = std::mem::take(&mut *self.line.borrow_mut());
        if !line.is_empty() {
            self.emit(Level::Info, &line);
        }
        Ok(())
    }

    fn write_err(&self, bytes: &[u8]) -> io::Result<()> {
        self.emit(Level::Warn, bytes.trim_ascii_end());
        Ok(())
    }
}
