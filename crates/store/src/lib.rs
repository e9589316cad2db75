//! Where code comes from.
//!
//! ```text
//! Source --parse--> Fetcher --+-- folder.rs   a copy
//!                             +-- git/        the git program
//!                             +-- github.rs   an archive ------ tar.rs
//!                             +-- s3/         a listing and its objects
//!                                    |
//!                                    v
//!                     Writer --> Bundle, below STATE/bundles      a version of an app: Store::record
//!
//! s3/ --> on_demand.rs: cache.rs, mirror.rs --> one file      for a source that HOST/PATH/index.lua is looked up in
//! ```
//!
//! **Invariants.** Nothing that was fetched is used before it is a [`Bundle`]: checked, whole, and on the disk under the hash of its
//! contents. Whatever fails, the last good version of an app is still there. Nothing a peer sends makes us wait longer, keep more or write
//! more than the [`Limits`] say.
#![forbid(unsafe_code)]

mod bundle;
mod cache;
mod cancel;
mod disk;
mod error;
mod fetch;
mod folder;
pub mod git;
pub mod github;
mod http;
mod index;
mod limits;
mod mirror;
pub mod on_demand;
mod path;
pub mod record;
pub mod s3;
mod secret;
mod source;
mod store;
pub mod tar;

pub use bundle::{Bundle, Writer};
pub use cancel::Cancel;
pub use disk::{Disk, DiskFile, SystemDisk};
pub use error::{Error, ErrorKind};
pub use fetch::{Fetched, Fetcher, Options, Outcome};
pub use index::{BundleId, FileEntry, Hash, Index};
pub use limits::{Limits, MAX_DEPTH, MAX_NAME, MAX_PATH};
pub use path::BundlePath;
pub use record::{LastGood, Revision, Version};
pub use secret::Secret;
pub use source::{Git, GitHub, Module, Reference, S3, Source, Transport};
pub use store::{Keep, Store};
