//! Userdata: a host object owned by the heap.
//!
//! **Invariant:** `data` is `Some` until the object is dropped by the collector, taken by the host, or closed
//! with the VM; it is never run by the collector in the middle of a mark (drops happen in sweep, outside Lua).

use crate::heap::Header;
use crate::table::Table;
use crate::value::Val;
use std::any::Any;

/// A userdata object.
#[repr(C)]
pub struct UserDataObject {
    pub(crate) header: Header,
    pub(crate) meta: *mut Table,
    /// One Lua value kept with the object (`debug.setuservalue`).
    pub(crate) user_value: Val,
    pub(crate) data: Option<Box<dyn Any>>,
}
