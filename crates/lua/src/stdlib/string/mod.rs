//! The `string` library.

pub mod format;
pub mod pack;
pub mod pattern;
