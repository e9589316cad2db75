//! The time for what needs it to a slice: reading the clock costs as much as a hundred instructions, and what runs in a slice may do without.
//!
//! **Invariant:** inside of a slice it is when that began, and anywhere else it is now.

use std::cell::Cell;
use std::time::Instant;

thread_local! {
    static SLICE: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Now, or when the slice began that runs on this thread.
pub(crate) fn now() -> Instant {
    SLICE.get().unwrap_or_else(Instant::now)
}

/// A slice that began at `start`, until it is dropped. One may be inside another.
pub(crate) struct InSlice(Option<Instant>);

impl InSlice {
    pub(crate) fn since(start: Instant) -> InSlice {
        InSlice(SLICE.replace(Some(start)))
    }
}

impl Drop for InSlice {
    fn drop(&mut self) {
        SLICE.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_slice_has_one_time() {
        let start = Instant::now() - Duration::from_secs(60);
        let outer = InSlice::since(start);
        assert_eq!(now(), start);
        {
            let _inner = InSlice::since(start + Duration::from_secs(1));
            assert_eq!(now(), start + Duration::from_secs(1));
        }
        assert_eq!(now(), start);
        drop(outer);
        assert!(now() > start + Duration::from_secs(50));
    }
}
