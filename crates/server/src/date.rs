//! The time in the format of HTTP.
//!
//! **Invariant:** it is made once a second and worker.

use http::HeaderValue;
use std::cell::RefCell;
use std::time::{Duration, SystemTime};

thread_local! {
    /// The date, and the second since 1970 that it is.
    static TODAY: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
}

/// Calls `f` with the value of a `Date` field.
pub fn with<R>(f: impl FnOnce(&HeaderValue) -> R) -> R {
    TODAY.with_borrow_mut(|today| {
        let now = second();
        if let Some((second, value)) = today
            && now == *second
        {
            return f(value);
        }
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
        let value = HeaderValue::from_str(&httpdate::fmt_http_date(time))
            .unwrap_or(HeaderValue::from_static(""));
        f(&today.insert((now, value)).1)
    })
}

/// Whole seconds since 1970.
///
/// PERF: a clock that is a few milliseconds late costs a quarter of the exact one.
fn second() -> u64 {
    #[cfg(target_os = "linux")]
    if let Ok(time) = nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME_COARSE) {
        return u64::try_from(time.tv_sec()).unwrap_or_default();
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}
