//! The time in the format of HTTP.
//!
//! **Invariant:** it is made once a second and worker.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{Duration, Instant, SystemTime};

thread_local! {
    /// The date, and until when it is good.
    static TODAY: RefCell<Option<(Instant, HeaderValue)>> = const { RefCell::new(None) };
}

/// Calls `f` with the value of a `Date` field.
pub fn with<R>(f: impl FnOnce(&HeaderValue) -> R) -> R {
    TODAY.with_borrow_mut(|today| {
        let now = Instant::now();
        if let Some((until, value)) = today
            && now < *until
        {
            return f(value);
        }
        let time = SystemTime::now();
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let left = Duration::from_nanos(1_000_000_000 - u64::from(since.subsec_nanos()));
        let value = HeaderValue::from_str(&httpdate::fmt_http_date(time))
            .unwrap_or(HeaderValue::from_static(""));
        f(&today.insert((now + left, value)).1)
    })
}
