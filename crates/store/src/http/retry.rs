//! Trying again what may succeed the next time.

use crate::error::{Error, ErrorKind};
use std::future::Future;
use std::time::Duration;

/// How long to wait before each further try. The deadline of the fetch ends all of them.
const PAUSES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// Does something up to three times, as long as it fails with an error of this kind.
pub(crate) async fn retry<T, F>(kind: ErrorKind, mut attempt: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    for pause in PAUSES {
        match attempt().await {
            Err(error) if error.kind() == kind => tokio::time::sleep(pause).await,
            other => return other,
        }
    }
    attempt().await
}
