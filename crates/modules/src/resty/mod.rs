//! The native parts of OpenResty's libraries.

use crate::Maker;

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[("ngx.ssl", crate::ngx::ssl::module)];
