//! Time limits that cost nothing unless something waits.

use super::NetError;
use crate::alarm::Alarm;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What the future gives, unless that takes too long. The clock is asked only once the future has to wait.
pub async fn timed<F: Future>(limit: Duration, future: F) -> Result<F::Output, NetError> {
    let mut future = pin!(future);
    let mut patience = Patience::new(limit);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Ok(output)),
        Poll::Pending => patience.poll(false, cx).map(|()| Err(NetError::Timeout)),
    })
    .await
}

/// How long somebody waits for the other side to move.
pub struct Patience {
    limit: Duration,
    until: Option<Instant>,
    alarm: Alarm,
}

impl Patience {
    /// So long, from the first poll on.
    pub fn new(limit: Duration) -> Patience {
        Patience {
            limit,
            until: None,
            alarm: Alarm::new(),
        }
    }

    /// Ready when it is at its end. It begins anew if something has `moved`.
    pub fn poll(&mut self, moved: bool, cx: &Context<'_>) -> Poll<()> {
        if moved {
            self.until = None;
            self.alarm.reset();
        }
        let until = match self.until {
            Some(until) => until,
            None => {
                let now = Instant::now();
                // As good as never, where the clock does not go that far.
                let until = now.checked_add(self.limit);
                *self.until.insert(until.unwrap_or(now + FOREVER))
            }
        };
        self.alarm.poll_at(until, cx)
    }
}

const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);
