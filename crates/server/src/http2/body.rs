//! The body of a request on a stream.
//!
//! **Invariant:** room for more is given to the peer when, and as far as, what came has been taken.

use super::serve::Stream;
use crate::http1::WireError;
use bytes::Bytes;
use h2::RecvStream;
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;

/// What a client sends on a stream behind its fields.
pub struct Body {
    data: RefCell<RecvStream>,
    stream: Rc<Stream>,
}

impl Body {
    pub(super) fn new(data: RecvStream, stream: Rc<Stream>) -> Body {
        Body {
            data: RefCell::new(data),
            stream,
        }
    }

    /// The next bytes; `None` at the end.
    pub async fn next(&self) -> Result<Option<Bytes>, WireError> {
        let read = poll_fn(|cx| {
            let polled = self.data.borrow_mut().poll_data(cx);
            if polled.is_pending() {
                self.stream.continues();
            }
            polled
        });
        match read.await {
            None => Ok(None),
            Some(Err(_)) => Err(WireError::Gone),
            Some(Ok(data)) => {
                let mut stream = self.data.borrow_mut();
                // It fails when the stream has been reset, which the next read tells.
                let _ = stream.flow_control().release_capacity(data.len());
                Ok(Some(data))
            }
        }
    }
}
