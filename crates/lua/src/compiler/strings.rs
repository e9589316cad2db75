//! The names and string constants of one source text, each kept once.
//!
//! **Invariant:** two equal byte strings have one [`StrId`], so that later stages compare names as integers.

use std::collections::HashMap;
use std::sync::Arc;

/// A string of the source text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct StrId(pub u32);

/// The strings, in order of first appearance.
#[derive(Default)]
pub(crate) struct Strings {
    ids: HashMap<Arc<[u8]>, StrId>,
    list: Vec<Arc<[u8]>>,
}

/// What a newly kept string costs besides its bytes.
pub(crate) const STRING_OVERHEAD: usize = 64;

impl Strings {
    /// The id of a string that is already kept.
    pub fn find(&self, text: &[u8]) -> Option<StrId> {
        self.ids.get(text).copied()
    }

    /// Keeps a string that [`find`](Self::find) did not know.
    pub fn add(&mut self, text: &[u8]) -> StrId {
        let text: Arc<[u8]> = text.into();
        let id = StrId(self.list.len() as u32);
        self.list.push(text.clone());
        self.ids.insert(text, id);
        id
    }

    /// The string, to be kept by constants: equal constants of a program share it.
    pub fn share(&self, id: StrId) -> Arc<[u8]> {
        Arc::clone(&self.list[id.0 as usize])
    }

    /// The bytes of a string.
    pub fn get(&self, id: StrId) -> &[u8] {
        &self.list[id.0 as usize]
    }
}
