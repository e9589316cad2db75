//! Processor time of this thread: what other programs do on the machine does not count, only what they do to the caches.

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds of processor time this thread has used.
pub fn thread_ns() -> u64 {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(0, |t| {
        t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64
    })
}
