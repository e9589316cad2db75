//! One stream: what the body and the response of a request share.
//!
//! ```text
//!  open --response sent--> answered --rest of the body passed over, or too long--> closed (h2 resets what is not at its end)
//! ```
//!
//! **Invariant:** once it is closed nothing of it is held, whoever still has a hand on it.

use super::meter::Meter;
use crate::http1::{LINGER, LINGER_BYTES};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Error, Reason, RecvStream, SendStream};
use http::{Response, StatusCode};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

/// A stream that has been accepted.
pub struct Stream {
    sides: RefCell<Option<(RecvStream, SendResponse<Bytes>)>>,
    owes_continue: Cell<bool>,
    is_answered: Cell<bool>,
    meter: Rc<RefCell<Meter>>,
    /// Bytes of the response's body that have been handed on.
    sent: Cell<u64>,
}

impl Stream {
    /// `owes_continue`: the client waits for "100 Continue".
    pub fn new(
        data: RecvStream,
        respond: SendResponse<Bytes>,
        owes_continue: bool,
        meter: Rc<RefCell<Meter>>,
    ) -> Stream {
        Stream {
            sides: RefCell::new(Some((data, respond))),
            owes_continue: Cell::new(owes_continue),
            is_answered: Cell::new(false),
            meter,
            sent: Cell::new(0),
        }
    }

    /// The meter of its connection.
    pub fn meter(&self) -> &RefCell<Meter> {
        &self.meter
    }

    /// Bytes of the response's body that have been handed on.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// More of the response's body has been handed on.
    pub fn adds(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
    }

    /// Whether its response has been sent, or could not be.
    pub fn is_answered(&self) -> bool {
        self.is_answered.get()
    }

    /// The next bytes of the request's body; `None` at its end.
    pub fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        let mut sides = self.sides.borrow_mut();
        let Some((data, _)) = &mut *sides else {
            return Poll::Ready(Ok(None));
        };
        loop {
            let bytes = ready!(data.poll_data(cx)).transpose()?;
            if let Some(bytes) = &bytes {
                if bytes.is_empty() {
                    continue;
                }
                // It fails when the stream has been reset, which the next read tells.
                let _ = data.flow_control().release_capacity(bytes.len());
            }
            return Poll::Ready(Ok(bytes));
        }
    }

    /// The client is told to send the body, if it waits for that.
    pub fn continues(&self) {
        if self.owes_continue.replace(false) {
            let mut interim = Response::new(());
            *interim.status_mut() = StatusCode::CONTINUE;
            if let Some((_, respond)) = &mut *self.sides.borrow_mut() {
                let _ = respond.send_informational(interim);
            }
        }
    }

    /// Sends the head of the response; `None` if the stream is closed.
    pub fn send(
        &self,
        head: Response<()>,
        is_all: bool,
    ) -> Result<Option<SendStream<Bytes>>, Error> {
        self.owes_continue.set(false);
        match &mut *self.sides.borrow_mut() {
            Some((_, respond)) => respond.send_response(head, is_all).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the client has taken the request back, or has gone.
    pub fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.sides.borrow_mut() {
            Some((_, respond)) => respond.poll_reset(cx).map(drop),
            None => Poll::Ready(()),
        }
    }

    /// Tells the client that nothing more of the response is coming.
    pub fn reset(&self, reason: Reason) {
        if let Some((_, respond)) = &mut *self.sides.borrow_mut() {
            respond.send_reset(reason);
        }
    }

    /// The response has been sent. A client that still sends its body is let go on a little: some lose a response behind which
    /// the stream is reset at once.
    pub async fn pass_over(&self) {
        self.is_answered.set(true);
        let mut passed = 0;
        let work = async {
            while passed <= LINGER_BYTES {
                match poll_fn(|cx| self.poll_data(cx)).await {
                    Ok(Some(data)) => passed += data.len(),
                    Ok(None) | Err(_) => break,
                }
            }
        };
        let has_ended = match &*self.sides.borrow() {
            Some((data, _)) => data.is_end_stream(),
            None => true,
        };
        if !has_ended {
            let _ = tokio::time::timeout(LINGER, work).await;
        }
    }

    /// Lets go of it.
    pub fn close(&self) {
        self.is_answered.set(true);
        self.sides.take();
    }
}
