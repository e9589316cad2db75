//! Frames off a [`Stream`].
//!
//! **Invariant:** a read that takes too long, or is given up, loses nothing: the next one goes on in the middle of the frame.

use super::frame::{Head, Parser, Part, Rules, Violation};
use crate::net::{MemoryLimit, NetError, Pattern, Received, Stream};
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Reads frames, one after the other.
#[derive(Default)]
pub struct Reader {
    parser: Parser,
    /// The part of a frame that is on its way.
    pending: Option<(Pattern, Received)>,
}

/// A frame with its payload, which is not masked any more.
pub struct Frame {
    /// What it is.
    pub head: Head,
    payload: Received,
}

impl Frame {
    /// Its payload.
    pub fn payload(&self) -> &[u8] {
        self.payload.bytes()
    }
}

/// Why no frame was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadError {
    /// The connection, while this part was read.
    Net(Part, NetError),
    /// The frame is refused.
    Refused(Violation),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Net(part, error) => {
                match part {
                    Part::First => f.write_str("failed to receive the first 2 bytes")?,
                    Part::Length(bytes) => {
                        write!(f, "failed to receive the {bytes} byte payload length")?;
                    }
                    Part::Key | Part::Payload => {
                        f.write_str("failed to read masking-len and payload")?;
                    }
                }
                write!(f, ": {error}")
            }
            ReadError::Refused(violation) => violation.fmt(f),
        }
    }
}

impl Reader {
    /// Reads a frame; what it takes is charged to `memory`. No wait for the other side may be longer than `limit`. After a timeout one can go on;
    /// after any other error there is nothing more to read.
    pub async fn read(
        &mut self,
        stream: &Stream,
        memory: &Rc<MemoryLimit>,
        rules: &Rules,
        limit: Duration,
    ) -> Result<Frame, ReadError> {
        loop {
            let (part, size) = self.parser.next();
            let (pattern, received) =
                (self.pending).get_or_insert_with(|| (Pattern::bytes(size), Received::new(memory)));
            if size > 0 {
                let read = stream.read(pattern, received, limit).await;
                if let Err(error) = read {
                    if error != NetError::Timeout {
                        self.pending = None;
                    }
                    return Err(ReadError::Net(part, error));
                }
            }
            let Some((_, mut received)) = self.pending.take() else {
                continue;
            };
            if part == Part::Payload {
                let head = self.parser.payload(received.bytes_mut());
                return Ok(Frame {
                    head,
                    payload: received,
                });
            }
            let refused = self.parser.head(received.bytes(), rules);
            refused.map_err(ReadError::Refused)?;
        }
    }
}
