//! A host object with its borrows: a `RefCell` whose guards own a share of it.
//!
//! **Invariant:** `borrows` is the number of shared borrows, or -1 while there is a mutable one; every guard has counted
//! itself there and uncounts itself when dropped.

use crate::api::error::{Error, Result};
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

pub(crate) struct UserDataCell<T> {
    borrows: Cell<isize>,
    object: UnsafeCell<T>,
}

impl<T> UserDataCell<T> {
    pub(crate) fn new(object: T) -> UserDataCell<T> {
        UserDataCell {
            borrows: Cell::new(0),
            object: UnsafeCell::new(object),
        }
    }
    pub(crate) fn into_inner(self) -> T {
        self.object.into_inner()
    }
    /// Fails when the object is borrowed.
    pub(crate) fn check_free(&self) -> Result<()> {
        if self.borrows.get() == 0 {
            Ok(())
        } else {
            Err(Error::UserDataBorrowMutError)
        }
    }
}

/// A shared borrow of a host object.
pub struct UserDataRef<T> {
    cell: Rc<UserDataCell<T>>,
}

impl<T> UserDataRef<T> {
    pub(crate) fn new(cell: Rc<UserDataCell<T>>) -> Result<UserDataRef<T>> {
        let n = cell.borrows.get();
        if !(0..isize::MAX).contains(&n) {
            return Err(Error::UserDataBorrowError);
        }
        cell.borrows.set(n + 1);
        Ok(UserDataRef { cell })
    }
}

impl<T> Clone for UserDataRef<T> {
    /// Another shared borrow.
    fn clone(&self) -> UserDataRef<T> {
        self.cell.borrows.set(self.cell.borrows.get() + 1);
        UserDataRef {
            cell: self.cell.clone(),
        }
    }
}

impl<T> Deref for UserDataRef<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is counted, so there is no mutable borrow; the cell is held by the `Rc`.
        unsafe { &*self.cell.object.get() }
    }
}

impl<T> Drop for UserDataRef<T> {
    fn drop(&mut self) {
        self.cell.borrows.set(self.cell.borrows.get() - 1);
    }
}

impl<T: fmt::Debug> fmt::Debug for UserDataRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// A mutable borrow of a host object.
pub struct UserDataRefMut<T> {
    cell: Rc<UserDataCell<T>>,
}

impl<T> UserDataRefMut<T> {
    pub(crate) fn new(cell: Rc<UserDataCell<T>>) -> Result<UserDataRefMut<T>> {
        cell.check_free()?;
        cell.borrows.set(-1);
        Ok(UserDataRefMut { cell })
    }
}

impl<T> Deref for UserDataRefMut<T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: this guard is the only borrow; the cell is held by the `Rc`.
        unsafe { &*self.cell.object.get() }
    }
}

impl<T> DerefMut for UserDataRefMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`.
        unsafe { &mut *self.cell.object.get() }
    }
}

impl<T> Drop for UserDataRefMut<T> {
    fn drop(&mut self) {
        self.cell.borrows.set(0);
    }
}

impl<T: fmt::Debug> fmt::Debug for UserDataRefMut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrows_exclude_each_other() {
        let cell = Rc::new(UserDataCell::new(1));
        let a = UserDataRef::new(cell.clone()).unwrap();
        let b = UserDataRef::new(cell.clone()).unwrap();
        assert_eq!(*a + *b, 2);
        assert!(UserDataRefMut::new(cell.clone()).is_err());
        let c = a.clone();
        drop((a, b));
        assert!(UserDataRefMut::new(cell.clone()).is_err());
        drop(c);
        let mut m = UserDataRefMut::new(cell.clone()).unwrap();
        *m = 7;
        assert!(UserDataRef::new(cell.clone()).is_err());
        assert!(cell.check_free().is_err());
        drop(m);
        assert_eq!(*UserDataRef::new(cell).unwrap(), 7);
    }
}
