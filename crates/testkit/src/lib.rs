//! What Rille's tests share: scripts with their expectations, child processes that cannot outlive a test, and a raw
//! HTTP client.
//!
//! **Invariant:** this crate depends on nothing but the standard library and on no other crate of the workspace. It
//! drives programs from outside, through their command line and their sockets, so the same runner judges the
//! reference interpreter and Rille alike.
#![forbid(unsafe_code)]

pub mod attacks;
pub mod diff;
pub mod golden;
pub mod harness;
pub mod http;
pub mod official;
pub mod process;
pub mod script;
pub mod server;
pub mod temp;

use std::path::{Path, PathBuf};

/// The root of the workspace, found from this crate's manifest.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .nth(2)
        .expect("the crate lies two levels below the workspace root")
        .to_path_buf()
}

/// The binary that tests judge: `RILLE_BIN` where it is set, such as the release one, else the one built for them.
pub fn judged_binary(built: &str) -> PathBuf {
    std::env::var_os("RILLE_BIN").map_or_else(|| built.into(), PathBuf::from)
}

/// The folder build results go to: `CARGO_TARGET_DIR` where it is set, else `target` of the workspace.
pub fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace_root().join(dir),
        None => workspace_root().join("target"),
    }
}
