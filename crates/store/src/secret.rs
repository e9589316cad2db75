//! Tokens and keys, kept out of messages.
//!
//! **Invariant:** a secret is not printed by `Debug`; whoever needs its text says so ([`Secret::reveal`]).

use std::fmt;

/// Something nobody else may see.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into().into_boxed_str())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A text of others without it.
    pub(crate) fn redact(&self, text: &str) -> String {
        match self.0.is_empty() {
            true => text.to_owned(),
            false => text.replace(&*self.0, "[secret]"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
