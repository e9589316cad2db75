//! The body of a request on a stream.
//!
//! **Invariants.** Room for more is given to the peer when, and as far as, what came has been taken. A body belongs to a request: whoever
//! reads it when that has been answered gets an error.

use super::stream::Stream;
use crate::http1::WireError;
use bytes::Bytes;
use std::future::poll_fn;
use std::rc::Rc;

/// What a client sends on a stream behind its fields.
pub struct Body(Rc<Stream>);

impl Body {
    pub(super) fn new(stream: Rc<Stream>) -> Body {
        Body(stream)
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&self) -> Result<Option<Bytes>, WireError> {
        if self.0.is_answered() {
            return Err(WireError::Gone);
        }
        poll_fn(|cx| {
            let polled = self.0.poll_data(cx);
            if polled.is_pending() {
                self.0.continues();
            }
            polled
        })
        .await
        .map_err(|_| WireError::Gone)
    }
}
