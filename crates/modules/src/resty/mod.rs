//! The native parts of OpenResty's libraries.

mod lock;
mod lrucache;

use crate::Maker;

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[
    ("ngx.semaphore", crate::ngx::semaphore),
    ("resty.lock", lock::module),
    ("resty.lrucache", lrucache::tables),
    ("resty.lrucache.pureffi", lrucache::pureffi),
];
