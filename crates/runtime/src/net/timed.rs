//! Time limits that cost nothing unless something waits.

use super::NetError;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// What the future gives, unless that takes too long. The clock is asked only once the future has to wait.
pub async fn timed<F: Future>(limit: Duration, future: F) -> Result<F::Output, NetError> {
    let mut future = pin!(future);
    let mut sleep = pin!(None);
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(output));
        }
        if sleep.is_none() {
            sleep.set(Some(tokio::time::sleep(limit)));
        }
        match sleep.as_mut().as_pin_mut() {
            Some(sleep) => sleep.poll(cx).map(|()| Err(NetError::Timeout)),
            None => Poll::Pending,
        }
    })
    .await
}
