//! What the libraries need from outside: time, environment, randomness, output, files.
//!
//! The crate has no clock and no files of its own: a [`Host`] supplies them. [`StdHost`] gives the process's own,
//! for `rille lua` and for programs that trust their scripts; a sandbox supplies less, a test a fixed clock.
//!
//! **Invariant:** `print`, `io.write`, `io.stdout` and warnings all pass here, so what a script writes appears in the
//! order it was written in; programs that a script starts find it written before them.

use crate::stdlib::date;
pub use crate::stdlib::date::CivilTime;
use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, Hasher};
use std::io::{Error, IsTerminal, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;

/// When what is written goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Buffering {
    /// At once.
    None,
    /// At the end of a line.
    Line,
    /// When a buffer is full.
    Full,
}

/// A standard stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StdStream {
    /// Standard input.
    In,
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

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
    /// The local time at a number of seconds since 1970; `None` if it cannot be represented. UTC unless overridden.
    fn local_time(&self, unix_s: i64) -> Option<CivilTime> {
        date::utc_from_unix(unix_s)
    }
    /// The seconds since 1970 of a local time whose fields may be out of their ranges (each fits an `i32`, the year is
    /// at most 1900 more); `None` if it cannot be represented. UTC unless overridden.
    fn unix_from_local(&self, time: &CivilTime) -> Option<i64> {
        Some(date::unix_from_utc(time))
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
    /// `print` has written a line. Who reads it may wait for it: a host that buffers may let it go.
    fn printed(&self) -> std::io::Result<()> {
        Ok(())
    }
    /// Chooses when standard output goes out (`io.stdout:setvbuf`).
    fn set_out_buffering(&self, _mode: Buffering) -> std::io::Result<()> {
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
    /// Moves a standard stream that is a file; the result is the new position.
    fn seek_stream(&self, _stream: StdStream, _to: SeekFrom) -> std::io::Result<u64> {
        Err(Error::from_raw_os_error(libc::ESPIPE))
    }
    /// The contents of a source file for `require`, `loadfile` and `dofile`; `None`: there is no such file for this VM.
    fn read_source(&self, _path: &[u8]) -> Option<std::io::Result<Vec<u8>>> {
        None
    }
    /// Whether `io` and `os` may use the process's files, programs and exit (an unsandboxed VM).
    fn full_access(&self) -> bool {
        false
    }
    /// Ends the process, for `os.exit`, which only a VM with full access has.
    fn exit(&self, code: i32) -> ! {
        let _ = self.flush_out();
        std::process::exit(code)
    }
}

/// A host with the process's own clock, environment, standard streams and files.
#[derive(Default)]
pub struct StdHost {
    out: RefCell<Vec<u8>>,
    /// As the script set it; unset: by line on a terminal, else full.
    buffering: Cell<Option<Buffering>>,
    /// Whether something stands in front of what is written next, on its line.
    within_line: Cell<bool>,
    /// Whether another program reads standard output; unset: not looked yet.
    read_by_program: Cell<Option<bool>>,
    /// What `random_seed` answers; unset: a new number each time.
    seed: Option<u64>,
}

/// Standard output is written in pieces of this many bytes, or when flushed.
const OUT_BUFFER: usize = 16 * 1024;

impl StdHost {
    /// A host whose VMs have the same hash key in every process, so that they do the same work: for measurements. Scripts
    /// that know the key can make tables slow.
    pub fn with_seed(seed: u64) -> StdHost {
        let mut host = StdHost::default();
        host.seed = Some(seed);
        host
    }

    fn buffering(&self) -> Buffering {
        self.buffering.get().unwrap_or_else(|| {
            let mode = if std::io::stdout().is_terminal() {
                Buffering::Line
            } else {
                Buffering::Full
            };
            self.buffering.set(Some(mode));
            mode
        })
    }

    /// Whether the last line on a terminal is without its end, as far as this program knows: a prompt goes on a new one.
    pub fn is_within_line(&self) -> bool {
        self.within_line.get()
    }

    fn read_by_program(&self) -> bool {
        self.read_by_program.get().unwrap_or_else(|| {
            let kind = std::io::stdout()
                .as_fd()
                .try_clone_to_owned()
                .and_then(|fd| std::fs::File::from(fd).metadata())
                .map(|data| data.file_type());
            let piped = kind.is_ok_and(|kind| kind.is_fifo() || kind.is_socket());
            self.read_by_program.set(Some(piped));
            piped
        })
    }
}

impl Host for StdHost {
    fn random_seed(&self) -> u64 {
        self.seed
            .unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish())
    }
    fn unix_time(&self) -> f64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0.0, |d| d.as_secs_f64())
    }
    fn cpu_time(&self) -> f64 {
        zone::process_cpu_time()
    }
    fn local_time(&self, unix_s: i64) -> Option<CivilTime> {
        zone::local_time(unix_s)
    }
    fn unix_from_local(&self, time: &CivilTime) -> Option<i64> {
        zone::unix_from_local(time)
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
        self.within_line
            .set(bytes.last().map_or(self.within_line.get(), |b| *b != b'\n'));
        let full = match self.buffering() {
            Buffering::None => true,
            Buffering::Line => bytes.contains(&b'\n'),
            Buffering::Full => false,
        };
        let due = full || out.len() >= OUT_BUFFER;
        drop(out);
        if due { self.flush_out() } else { Ok(()) }
    }
    fn flush_out(&self) -> std::io::Result<()> {
        let mut out = self.out.borrow_mut();
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(&out).and_then(|()| stdout.flush());
        // What could not be written is dropped: it would fail again at every flush.
        out.clear();
        written
    }
    /// The reference's `print` always lets its line go; only a program that reads it can tell.
    fn printed(&self) -> std::io::Result<()> {
        if self.read_by_program() {
            self.flush_out()
        } else {
            Ok(())
        }
    }
    fn set_out_buffering(&self, mode: Buffering) -> std::io::Result<()> {
        self.buffering.set(Some(mode));
        self.flush_out()
    }
    fn write_err(&self, bytes: &[u8]) -> std::io::Result<()> {
        self.flush_out()?;
        std::io::stderr().write_all(bytes)
    }
    fn read_in(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.flush_out()?;
        let n = std::io::stdin().lock().read(buffer)?;
        if buffer[..n].last() == Some(&b'\n') {
            // The user's Enter has ended the line.
            self.within_line.set(false);
        }
        Ok(n)
    }
    fn seek_stream(&self, stream: StdStream, to: SeekFrom) -> std::io::Result<u64> {
        self.flush_out()?;
        // A duplicate shares the position of the original.
        let fd: OwnedFd = match stream {
            StdStream::In => std::io::stdin().as_fd().try_clone_to_owned()?,
            StdStream::Out => std::io::stdout().as_fd().try_clone_to_owned()?,
            StdStream::Err => std::io::stderr().as_fd().try_clone_to_owned()?,
        };
        std::fs::File::from(fd).seek(to)
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

/// The C library's clock and time zone, which Rust's has no equal of.
mod zone {
    use super::CivilTime;
    use std::ffi::CStr;
    use std::mem::MaybeUninit;

    /// User and system time of this process, in seconds.
    pub(super) fn process_cpu_time() -> f64 {
        let mut time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: `time` is a valid place for the result.
        let done = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
        if done == 0 {
            time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
        } else {
            0.0
        }
    }

    pub(super) fn local_time(unix_s: i64) -> Option<CivilTime> {
        let mut tm = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: both pointers are valid for the call; the result is null or `tm`, filled in.
        unsafe {
            if libc::localtime_r(&unix_s, tm.as_mut_ptr()).is_null() {
                return None;
            }
            Some(from_tm(&tm.assume_init()))
        }
    }

    pub(super) fn unix_from_local(time: &CivilTime) -> Option<i64> {
        let field = |v: i64| i32::try_from(v).ok();
        let mut tm = MaybeUninit::<libc::tm>::zeroed();
        // SAFETY: all-zero bytes are a `tm`; its other fields are results of the call.
        let unix_s = unsafe {
            let tm = tm.assume_init_mut();
            tm.tm_year = field(time.year - 1900)?;
            tm.tm_mon = field(time.month - 1)?;
            tm.tm_mday = field(time.day)?;
            tm.tm_hour = field(time.hour)?;
            tm.tm_min = field(time.minute)?;
            tm.tm_sec = field(time.second)?;
            tm.tm_isdst = time.summer_time.map_or(-1, i32::from);
            libc::mktime(tm)
        };
        if unix_s == -1 { None } else { Some(unix_s) }
    }

    fn from_tm(tm: &libc::tm) -> CivilTime {
        let zone = if tm.tm_zone.is_null() {
            String::new()
        } else {
            // SAFETY: a zone that is not null is a C string, which lives until the time zone is set again; it is
            // copied at once.
            unsafe { CStr::from_ptr(tm.tm_zone) }
                .to_string_lossy()
                .into_owned()
        };
        CivilTime {
            year: tm.tm_year as i64 + 1900,
            month: tm.tm_mon as i64 + 1,
            day: tm.tm_mday as i64,
            hour: tm.tm_hour as i64,
            minute: tm.tm_min as i64,
            second: tm.tm_sec as i64,
            weekday: tm.tm_wday as i64,
            year_day: tm.tm_yday as i64,
            summer_time: u8::try_from(tm.tm_isdst).ok().map(|n| n != 0),
            utc_offset_s: tm.tm_gmtoff,
            zone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_goes_there_and_back() {
        let host = StdHost::default();
        for unix_s in [0, 951_782_399, 1_000_000_000, 4_102_444_800, -1_000_000_000] {
            let local = host.local_time(unix_s).expect("in range");
            let as_if_utc = date::unix_from_utc(&local);
            assert_eq!(as_if_utc - local.utc_offset_s, unix_s);
            assert_eq!(host.unix_from_local(&local), Some(unix_s));
        }
        assert_eq!(host.local_time(i64::MAX), None);
    }

    #[test]
    fn unfinished_lines_are_known() {
        let host = StdHost::default();
        assert!(!host.is_within_line());
        host.set_out_buffering(Buffering::Full).unwrap();
        host.write_out(b"line\nmore").unwrap();
        assert!(host.is_within_line());
        host.write_out(b"").unwrap();
        assert!(host.is_within_line());
        host.write_out(b"\n").unwrap();
        assert!(!host.is_within_line());
    }

    #[test]
    fn processor_time_grows() {
        let host = StdHost::default();
        let before = host.cpu_time();
        let mut n = 0u64;
        while host.cpu_time() <= before {
            n = std::hint::black_box(n + 1);
        }
        assert!(host.cpu_time() < before + 60.0);
    }
}
