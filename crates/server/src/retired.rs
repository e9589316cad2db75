//! Versions of apps that others have taken the place of on a worker, until their last request has ended.
//!
//! **Invariants.** A VM is in the list for as long as it is there, and nothing here keeps it. Of one app there are at most [`MAX_OLD`] that may go on for as long
//! as they like: when there are more, the connections of the oldest are told to end, and are cut off [`FAREWELL`] later.

use crate::hosts::AppIndex;
use rille_runtime::vm::AppVm;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// Old versions of an app, each on its own for the sake of connections that requests have taken.
pub const MAX_OLD: usize = 8;
/// How long the connections of one that is too many have to end.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// The old versions of a worker's apps.
#[derive(Default)]
pub struct Retired(RefCell<Vec<(AppIndex, Weak<AppVm>)>>);

impl Retired {
    /// Adds the version that was in this place.
    pub fn add(&self, place: AppIndex, vm: &Rc<AppVm>) {
        let mut retired = self.0.borrow_mut();
        retired.retain(|(_, vm)| vm.strong_count() > 0);
        retired.push((place, Rc::downgrade(vm)));
        let of_app = retired.iter().filter(|(at, _)| *at == place);
        let too_many = of_app.clone().count().saturating_sub(MAX_OLD);
        for (_, vm) in of_app.take(too_many) {
            if let Some(vm) = vm.upgrade().filter(|vm| !*vm.closing().borrow()) {
                vm.stop();
                let vm = Rc::downgrade(&vm);
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(FAREWELL).await;
                    if let Some(vm) = vm.upgrade() {
                        vm.cut();
                    }
                });
            }
        }
    }

    /// Those that are still there, oldest first.
    pub fn alive(&self) -> Vec<Rc<AppVm>> {
        let retired = self.0.borrow();
        retired.iter().filter_map(|(_, vm)| vm.upgrade()).collect()
    }

    /// Whether one of this place still has tasks that the process has one of.
    pub fn has_process_tasks(&self, place: AppIndex) -> bool {
        let retired = self.0.borrow();
        let mut of_app = retired.iter().filter(|(at, _)| *at == place);
        of_app.any(|(_, vm)| {
            vm.upgrade()
                .is_some_and(|vm| vm.tasks().has_process_tasks())
        })
    }
}
