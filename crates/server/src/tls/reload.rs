//! The thread that looks whether certificates have changed.
//!
//! **Invariant:** files that change are loaded once they have been the same for a [`LOOK`], so that a chain and its key that are written one
//! after the other are read together. What cannot be loaded is told once for each change; the old certificates stay.

use super::Tls;
use rille_runtime::log::Log;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The thread, until this is dropped.
pub struct Watcher {
    now: Sender<()>,
}

impl Watcher {
    /// Starts to look.
    pub fn start(tls: Arc<Tls>, log: Log) -> io::Result<Watcher> {
        let (now, told) = mpsc::channel();
        let mut loaded = tls.files.stamps();
        let mut last = loaded.clone();
        std::thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || {
                loop {
                    let at_once = match told.recv_timeout(LOOK) {
                        Ok(()) => true,
                        Err(RecvTimeoutError::Timeout) => false,
                        Err(RecvTimeoutError::Disconnected) => return,
                    };
                    let stamps = tls.files.stamps();
                    let is_still = stamps == last;
                    last.clone_from(&stamps);
                    if !at_once && (stamps == loaded || !is_still) {
                        continue;
                    }
                    loaded = stamps;
                    match tls.reload() {
                        Ok(()) => log.line("certificates reloaded"),
                        Err(problem) => {
                            log.line(format_args!("{problem}; the old certificates stay"));
                        }
                    }
                }
            })?;
        Ok(Watcher { now })
    }

    /// Loads the files without waiting until they have changed.
    pub fn reload(&self) {
        // The thread lives as long as this does.
        let _ = self.now.send(());
    }
}
