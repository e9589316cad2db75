//! The native parts of OpenResty's libraries.

use crate::Maker;

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[("ngx.base64", crate::ngx::base64::module)];
