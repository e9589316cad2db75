//! Ctrl-C: the first one is an error in the script that runs, the next one ends the program.
//!
//! The signal's handler only sets flags. The machine looks at them between two slices of fuel, so a library function that is
//! at work is interrupted where it pauses.
//!
//! **Invariant:** while no script runs, and after a signal that was not waited out, SIGINT does what it does by default.

use signal_hook::consts::SIGINT;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What the signal's handler and the machine tell each other.
pub struct Interrupts {
    /// A signal came and the script has not been told.
    pending: Arc<AtomicBool>,
    /// The next signal ends the program.
    fatal: Arc<AtomicBool>,
}

impl Interrupts {
    /// Takes over SIGINT. Where the system refuses, it goes on ending the program.
    pub fn new() -> Interrupts {
        let pending = Arc::new(AtomicBool::new(false));
        let fatal = Arc::new(AtomicBool::new(true));
        // In this order: the handler that ends the program looks at the flag before the last one sets it.
        let _ = signal_hook::flag::register_conditional_default(SIGINT, Arc::clone(&fatal))
            .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&pending)))
            .and_then(|_| signal_hook::flag::register(SIGINT, Arc::clone(&fatal)));
        Interrupts { pending, fatal }
    }

    /// Makes the next signal an error in the script, for as long as the result lives.
    pub fn arm(&self) -> Armed<'_> {
        self.fatal.store(false, Ordering::SeqCst);
        Armed(self)
    }

    /// Whether the script is to be interrupted; says so once for each signal.
    pub fn take(&self) -> bool {
        self.pending.swap(false, Ordering::SeqCst)
    }
}

/// See [`Interrupts::arm`].
pub struct Armed<'a>(&'a Interrupts);

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.0.fatal.store(true, Ordering::SeqCst);
    }
}
