//! Counts of what is there.

use std::cell::Cell;
use std::rc::Rc;

/// Counts for as long as it lives.
pub struct Counted(Rc<Cell<usize>>);

impl Counted {
    /// One more, until it is dropped.
    pub fn new(count: &Rc<Cell<usize>>) -> Counted {
        count.set(count.get() + 1);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}
