//! How large a bundle and what is fetched for it may be.

use std::time::Duration;

/// The longest path of a file in a bundle, in bytes.
pub const MAX_PATH: usize = 1024;
/// The longest name in a path, in bytes: what file systems take.
pub const MAX_NAME: usize = 255;
/// The deepest a file lies, in names: what an app may have.
pub const MAX_DEPTH: usize = 32;

/// The limits of one fetch. Every field has a default that suits an app of many files; none is switched off by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Files in a bundle.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of a bundle, as they are unpacked.
    pub total_bytes: u64,
    /// Bytes that come over the network, or that a clone takes on the disk, for one bundle.
    pub download_bytes: u64,
    /// How long a fetch may take, whatever happens.
    pub deadline: Duration,
    /// How long the other side may be silent.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            files: 20_000,
            file_bytes: 64 << 20,
            total_bytes: 256 << 20,
            download_bytes: 256 << 20,
            deadline: Duration::from_secs(120),
            stall: Duration::from_secs(20),
        }
    }
}
