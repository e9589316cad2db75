//! The native parts of OpenResty's libraries.

use crate::Maker;

/// By the name they are required by.
pub(crate) const MODULES: &[(&str, Maker)] = &[("ngx.re", crate::ngx::re::module)];
