//! The end of a VM's tasks when another version of the app has taken the place of theirs.
//!
//! ```text
//!   told `deploy` ---- the grace of the old version's manifest ----> killed; nothing is spawned any more
//! ```
//!
//! **Invariants.** Each task gets `deploy` at most once, ahead of nothing that is in its mailbox already and whether or not that is full. When
//! [`Tasks::end_all`] has returned there is none, and there will be none. Neither is one stretch of work: they pause between [`AT_ONCE`] tasks.

use super::Tasks;
use super::slab::State;
use std::rc::Rc;
use std::time::Duration;

/// Tasks that are told, or killed, before others have their turn.
const AT_ONCE: u32 = 256;
/// How often it is looked whether those that were killed have ended.
const LOOK: Duration = Duration::from_millis(5);

impl Tasks {
    /// Tells all of them that another version has taken the place of theirs.
    pub async fn tell_all(self: &Rc<Self>) {
        self.for_each(|tasks, slot| {
            if let Some(vm) = tasks.vm() {
                tasks.tell_deploy(&vm, slot);
            }
        })
        .await;
    }

    /// None is spawned any more.
    pub(crate) fn refuse_all(&self) {
        self.is_over.set(true);
    }

    /// Kills all of them, and waits until they have ended.
    pub async fn end_all(self: &Rc<Self>) {
        self.refuse_all();
        while self.count() > 0 && self.vm().is_some() {
            self.for_each(|tasks, slot| {
                let tid = tasks.slab.borrow().tid(slot);
                tasks.kill_here(tid, "another version of the app has taken its place");
            })
            .await;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Applies `f` to those there are; tasks that begin meanwhile may be left out.
    async fn for_each(self: &Rc<Self>, f: impl Fn(&Rc<Self>, u32)) {
        let end = self.slab.borrow().end();
        for slot in 0..end {
            let is_task = {
                let slab = self.slab.borrow();
                !matches!(slab.get(slot).state, State::Free | State::Guest)
            };
            if is_task {
                f(self, slot);
            }
            if slot % AT_ONCE == AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}
