//! Streams as the `io` library sees them: files, programs and the standard streams, with C's buffering.
//!
//! ```text
//!            fill                         read
//!   source --------> input[taken..] ---------------> script
//!   sink   <-------- output          <-------------- script
//!            flush                        write
//! ```
//!
//! **Invariant:** at most one of `input` (what was read ahead) and `output` (what is to be written) holds bytes: reading
//! flushes first, writing gives back what was read ahead (by seeking), so that a file's position is what the script
//! thinks it is.

use crate::host::{Buffering, Host, StdStream};
use std::fs::File;
use std::io::{Error, Read, Result, Seek, SeekFrom, Write};
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus};
use std::rc::Rc;

/// Bytes read ahead, and written together, unless `setvbuf` says otherwise.
const BUFFER: usize = 4096;
/// The largest buffer `setvbuf` can ask for.
const MAX_BUFFER: usize = 1 << 20;

/// Where bytes come from or go.
enum Source {
    /// One of the process's streams, through the host.
    Std(StdStream, Rc<dyn Host>),
    /// An open file.
    File(File),
    /// A program whose output is read.
    Output(Child, ChildStdout),
    /// A program whose input is written.
    Input(Child, ChildStdin),
}

/// How a stream was closed.
pub(crate) enum Closed {
    /// A file.
    File,
    /// A program, which ended so.
    Program(ExitStatus),
}

/// An open stream. It is closed when dropped.
pub(crate) struct Stream {
    source: Source,
    writable: bool,
    readable: bool,
    buffering: Buffering,
    capacity: usize,
    output: Vec<u8>,
    input: Vec<u8>,
    taken: usize,
    /// The first error of a read since `begin_read`: reading stops there.
    pub(crate) read_error: Option<Error>,
}

fn bad_descriptor() -> Error {
    Error::from_raw_os_error(libc::EBADF)
}

impl Stream {
    fn new(source: Source, readable: bool, writable: bool) -> Stream {
        Stream {
            source,
            writable,
            readable,
            buffering: Buffering::Full,
            capacity: BUFFER,
            output: Vec::new(),
            input: Vec::new(),
            taken: 0,
            read_error: None,
        }
    }

    /// A standard stream.
    pub(crate) fn standard(which: StdStream, host: Rc<dyn Host>) -> Stream {
        let input = which == StdStream::In;
        Stream::new(Source::Std(which, host), input, !input)
    }

    /// A file.
    pub(crate) fn file(file: File, readable: bool, writable: bool) -> Stream {
        Stream::new(Source::File(file), readable, writable)
    }

    /// A program started with a pipe from its output, or else to its input; `None` if it has neither.
    pub(crate) fn program(mut child: Child) -> Option<Stream> {
        if let Some(output) = child.stdout.take() {
            return Some(Stream::new(Source::Output(child, output), true, false));
        }
        let input = child.stdin.take()?;
        Some(Stream::new(Source::Input(child, input), false, true))
    }

    /// Whether it is one of the process's streams, which scripts cannot close.
    pub(crate) fn is_standard(&self) -> bool {
        matches!(self.source, Source::Std(..))
    }

    // ---- reading ----

    /// Forgets the last read's error.
    pub(crate) fn begin_read(&mut self) {
        self.read_error = None;
    }

    /// What can be read without asking the system; fetches more if there is nothing. Empty at the end, or on an error,
    /// which is kept in `read_error`.
    pub(crate) fn available(&mut self) -> &[u8] {
        if self.taken == self.input.len() && self.read_error.is_none() {
            self.taken = 0;
            self.input.clear();
            if let Err(e) = self.fill() {
                self.input.clear();
                self.read_error = Some(e);
            }
        }
        &self.input[self.taken..]
    }

    fn fill(&mut self) -> Result<()> {
        if !self.readable {
            return Err(bad_descriptor());
        }
        self.flush()?;
        self.input.resize(BUFFER, 0);
        let buffer = &mut self.input[..];
        let n = loop {
            let got = match &mut self.source {
                Source::Std(_, host) => host.read_in(buffer),
                Source::File(f) => f.read(buffer),
                Source::Output(_, pipe) => pipe.read(buffer),
                Source::Input(..) => Err(bad_descriptor()),
            };
            match got {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                got => break got?,
            }
        };
        self.input.truncate(n);
        Ok(())
    }

    /// Takes `n` of the available bytes.
    pub(crate) fn take(&mut self, n: usize) {
        self.taken += n;
        debug_assert!(self.taken <= self.input.len());
    }

    /// The next byte, not taken; `None` at the end.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.available().first().copied()
    }

    /// Gives back what was read ahead.
    fn drop_input(&mut self) -> Result<()> {
        let ahead = (self.input.len() - self.taken) as i64;
        self.input.clear();
        self.taken = 0;
        if ahead > 0 {
            self.seek_source(SeekFrom::Current(-ahead))?;
        }
        Ok(())
    }

    // ---- writing ----

    /// Writes, or keeps to write later.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if !self.writable {
            return Err(bad_descriptor());
        }
        if let Source::Std(which, host) = &self.source {
            // The host has its own buffer, which `print` shares.
            return match which {
                StdStream::Err => host.write_err(bytes),
                _ => host.write_out(bytes),
            };
        }
        if !self.input.is_empty() {
            self.drop_input()?;
        }
        if self.output.len() + bytes.len() > self.capacity {
            self.flush()?;
        }
        if bytes.len() >= self.capacity {
            return self.write_through(bytes);
        }
        self.output.extend_from_slice(bytes);
        match self.buffering {
            Buffering::None => self.flush(),
            Buffering::Line if bytes.contains(&b'\n') => self.flush(),
            _ => Ok(()),
        }
    }

    fn write_through(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.source {
            Source::Std(_, host) => host.write_out(bytes),
            Source::File(f) => f.write_all(bytes),
            Source::Input(_, pipe) => pipe.write_all(bytes),
            Source::Output(..) => Err(bad_descriptor()),
        }
    }

    /// Hands everything written to the system.
    pub(crate) fn flush(&mut self) -> Result<()> {
        if let Source::Std(StdStream::Out, host) = &self.source {
            return host.flush_out();
        }
        if self.output.is_empty() {
            return Ok(());
        }
        // What cannot be written is dropped: it would fail again at every turn.
        let output = std::mem::take(&mut self.output);
        let written = self.write_through(&output);
        self.output = output;
        self.output.clear();
        written
    }

    /// Chooses when what is written goes out.
    pub(crate) fn set_buffering(&mut self, mode: Buffering, size: usize) -> Result<()> {
        if let Source::Std(StdStream::Out, host) = &self.source {
            return host.set_out_buffering(mode);
        }
        self.buffering = mode;
        self.capacity = size.clamp(1, MAX_BUFFER);
        self.flush()
    }

    // ---- position ----

    /// Moves to a position; the result is the position from the start.
    pub(crate) fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        self.flush()?;
        let to = match to {
            // The system is ahead of the script by what was read ahead.
            SeekFrom::Current(n) => {
                let ahead = (self.input.len() - self.taken) as i64;
                SeekFrom::Current(n.saturating_sub(ahead))
            }
            to => to,
        };
        let at = self.seek_source(to)?;
        self.input.clear();
        self.taken = 0;
        Ok(at)
    }

    fn seek_source(&mut self, to: SeekFrom) -> Result<u64> {
        match &mut self.source {
            Source::Std(which, host) => host.seek_stream(*which, to),
            Source::File(f) => f.seek(to),
            Source::Input(..) | Source::Output(..) => Err(Error::from_raw_os_error(libc::ESPIPE)),
        }
    }

    // ---- the end ----

    /// Flushes and closes; waits for a program to end.
    pub(crate) fn close(mut self) -> Result<Closed> {
        let flushed = self.flush();
        self.output.clear();
        if !matches!(self.source, Source::Input(..) | Source::Output(..)) {
            return flushed.map(|()| Closed::File);
        }
        self.end_program().map(Closed::Program)
    }

    /// Closes our end of the pipe and waits.
    fn end_program(&mut self) -> Result<ExitStatus> {
        let none = Source::Std(StdStream::In, Rc::new(Nothing));
        match std::mem::replace(&mut self.source, none) {
            Source::Input(mut child, pipe) => {
                drop(pipe);
                child.wait()
            }
            Source::Output(mut child, pipe) => {
                drop(pipe);
                child.wait()
            }
            _ => Err(bad_descriptor()),
        }
    }
}

/// Stands behind a stream that has been closed.
struct Nothing;
impl Host for Nothing {}

impl Drop for Stream {
    fn drop(&mut self) {
        if !self.output.is_empty() {
            let _ = self.flush();
        }
        if matches!(self.source, Source::Input(..) | Source::Output(..)) {
            let _ = self.end_program();
        }
    }
}
