//! Whether the process lives, and whether it is ready for requests: for whoever balances load or restarts.
//!
//! | path | 200 | 503 |
//! |---|---|---|
//! | `PATH/live` | the process runs and has a worker that answers | never |
//! | `PATH`, `PATH/ready` | every worker has its VMs and accepts | it is starting, or stopping |
//!
//! **Invariant.** The answer is about the process, not about its apps: a broken app is no reason to restart what serves the others. No app is asked, and none
//! answers in its place.

use crate::body::ResponseBody;
use crate::pages;
use http::header::{CACHE_CONTROL, HeaderValue};
use http::{Response, StatusCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// How it is with the process; clones are of the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<AtomicU8>);

impl Health {
    /// Every worker accepts.
    pub(crate) fn is_ready_now(&self) {
        let _ = (self.0).compare_exchange(STARTING, READY, Ordering::AcqRel, Ordering::Acquire);
    }

    /// It stops.
    pub(crate) fn stops(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    /// Whether requests are welcome: a status, and why in a word.
    pub fn ready(&self) -> (StatusCode, &'static str) {
        match self.0.load(Ordering::Acquire) {
            READY => (StatusCode::OK, "ready"),
            STOPPING => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
            _ => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        }
    }

    /// Whether the process runs: it does, if somebody can ask.
    pub fn live(&self) -> (StatusCode, &'static str) {
        (StatusCode::OK, "live")
    }

    /// The answer to a request for `path`, if it is below `at`, where health is asked for.
    pub(crate) fn answer(&self, at: &[u8], path: &[u8]) -> Option<Response<ResponseBody>> {
        let (status, word) = match path.strip_prefix(at)? {
            b"" | b"/ready" => self.ready(),
            b"/live" => self.live(),
            _ => return None,
        };
        let mut response = pages::text(status, format!("{word}\n"));
        let fresh = HeaderValue::from_static("no-store");
        response.headers_mut().insert(CACHE_CONTROL, fresh);
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life() {
        let health = Health::default();
        let asked = |path: &str| {
            let answer = health.answer(b"/healthz", path.as_bytes());
            answer.map(|response| response.status().as_u16())
        };
        assert_eq!(
            (asked("/healthz"), asked("/healthz/live")),
            (Some(503), Some(200))
        );
        health.is_ready_now();
        assert_eq!(
            (asked("/healthz"), asked("/healthz/ready")),
            (Some(200), Some(200))
        );
        assert_eq!(
            (asked("/healthz/"), asked("/healthzx"), asked("/")),
            (None, None, None)
        );
        health.stops();
        health.is_ready_now();
        assert_eq!(
            (asked("/healthz/ready"), asked("/healthz/live")),
            (Some(503), Some(200))
        );
    }
}
