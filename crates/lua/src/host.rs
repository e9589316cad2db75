//! What the libraries need from outside: time, environment, randomness, output, files.
//!
//! The crate has no clock and no files of its own: a [`Host`] supplies them. [`StdHost`] gives the process's own,
//! for `rille lua` and for programs that trust their scripts; a sandbox supplies less, a test a fixed clock.

use std::hash::{BuildHasher, Hasher};
use std::io::{Read, Write};

/// What a VM may ask of the program it is embedded in.
pub trait Host {
    /// A random number for hash keys and `math.random`'s first seed.
    fn random_seed(&self) -> u64 {
        std::hash::RandomState::new().build_hasher().finish()
    }
    /// Seconds since 1970 (UTC).
    fn unix_time(&self) -> f64 {
        0.0
    }
    /// Seconds of processor time this program has used.
    fn cpu_time(&self) -> f64 {
        0.0
    }
    /// An environment variable.
    fn env_var(&self, _name: &[u8]) -> Option<Vec<u8>> {
        None
    }
    /// Writes to standard output.
    fn write_out(&self, _bytes: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
    /// Makes what was written appear.
    fn flush_out(&self) -> std::io::Result<()> {
        Ok(())
    }
    /// Writes to standard error (warnings).
    fn write_err(&self, _bytes: &[u8]) -> std::io::Result<()> {
        Ok(())
    }
    /// Reads from standard input; 0 at the end.
    fn read_in(&self, _buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(0)
    }
    /// The contents of a source file for `require`, `loadfile` and `dofile`; `None`: there is no such file for this VM.
    fn read_source(&self, _path: &[u8]) -> Option<std::io::Result<Vec<u8>>> {
        None
    }
    /// Whether `io` and `os` may use the process's files, programs and exit (an unsandboxed VM).
    fn full_access(&self) -> bool {
        false
    }
}

/// A host with the process's own clock, environment, standard streams and files.
#[derive(Default)]
pub struct StdHost {
    out: std::cell::RefCell<Vec<u8>>,
}

/// Standard output is written in pieces of this many bytes, or when flushed.
const OUT_BUFFER: usize = 16 * 1024;

impl Host for StdHost {
    fn unix_time(&self) -> f64 {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
    }
    fn cpu_time(&self) -> f64 {
        process_cpu_time()
    }
    fn env_var(&self, name: &[u8]) -> Option<Vec<u8>> {
        use std::os::unix::ffi::{OsStrExt, OsStringExt};
        if name.is_empty() || name.contains(&0) || name.contains(&b'=') {
            return None;
        }
        std::env::var_os(std::ffi::OsStr::from_bytes(name)).map(OsStringExt::into_vec)
    }
    fn write_out(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut out = self.out.borrow_mut();
        out.extend_from_slice(bytes);
        if out.len() >= OUT_BUFFER {
            let full = std::mem::take(&mut *out);
            drop(out);
            std::io::stdout().lock().write_all(&full)?;
        }
        Ok(())
    }
    fn flush_out(&self) -> std::io::Result<()> {
        let rest = std::mem::take(&mut *self.out.borrow_mut());
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&rest)?;
        stdout.flush()
    }
    fn write_err(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.flush_out()?;
        std::io::stderr().write_all(bytes)
    }
    fn read_in(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.flush_out()?;
        std::io::stdin().lock().read(buffer)
    }
    fn read_source(&self, path: &[u8]) -> Option<std::io::Result<Vec<u8>>> {
        use std::os::unix::ffi::OsStrExt;
        Some(std::fs::read(std::ffi::OsStr::from_bytes(path)))
    }
    fn full_access(&self) -> bool {
        true
    }
}

impl Drop for StdHost {
    fn drop(&mut self) {
        let _ = self.flush_out();
    }
}

/// User and system time of this process, in seconds, from /proc (no C library call needed).
fn process_cpu_time() -> f64 {
    // /proc/self/schedstat: nanoseconds on the processor, of the main thread; good enough where scripts run on one.
    std::fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|s| s.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(0.0, |ns| ns / 1e9)
}
