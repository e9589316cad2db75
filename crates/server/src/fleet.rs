//! What a worker serves: who answers which host, and the apps in their places.
//!
//! **Invariants.** A [`Fleet`] never changes: a deploy makes the next one, with a higher epoch, and the worker serves that from one request to the
//! next. Whoever has asked a fleet for an app gets the answer from that same fleet. An app keeps its place for as long as it is served.

use crate::exchange::Room;
use crate::hosts::{AppIndex, Hosts};
use rille_lua::{Function, Table, Value};
use rille_modules::http::forward::Forwarder;
use rille_runtime::vm::AppVm;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

/// A function that a handler's main chunk returned.
pub struct Cached {
    /// It answers every further hit.
    pub function: Function,
    /// Globals its main chunk wrote: each request starts with a copy.
    pub globals: Option<Table>,
}

/// A version of an app that answers, with what the server keeps in its VM.
pub struct Served {
    /// Its VM.
    pub vm: Rc<AppVm>,
    /// The `request` object.
    pub request: Value,
    /// `json.encode`, whatever scripts have made of their own.
    pub encode: Function,
    /// For the bodies of its requests.
    pub room: Rc<Room>,
    /// How many of its requests have taken their connections.
    pub upgraded: Rc<Cell<usize>>,
    /// What asks other servers for its rules, once one has been asked.
    pub forwarder: OnceCell<Forwarder>,
    /// By file.
    pub handlers: RefCell<Vec<Option<Cached>>>,
}

impl Served {
    /// What asks other servers for its rules.
    pub fn forwarder(&self) -> &Forwarder {
        self.forwarder.get_or_init(|| Forwarder::new(&self.vm))
    }
}

/// An app on this worker.
#[derive(Clone)]
pub enum Slot {
    /// It answers.
    Live(Rc<Served>),
    /// It could not be loaded; its name.
    Broken(Rc<str>),
    /// There is none any more.
    Vacant,
}

impl Slot {
    /// The app's name.
    pub fn name(&self) -> &str {
        match self {
            Slot::Live(served) => served.vm.app().name(),
            Slot::Broken(name) => name,
            Slot::Vacant => "",
        }
    }
}

/// What a worker serves.
#[derive(Default)]
pub struct Fleet {
    hosts: Arc<Hosts>,
    slots: Vec<Slot>,
    epoch: u64,
}

impl Fleet {
    /// Of these apps, by their places.
    pub fn new(hosts: Arc<Hosts>, slots: Vec<Slot>, epoch: u64) -> Fleet {
        Fleet {
            hosts,
            slots,
            epoch,
        }
    }

    /// The next one, with another app in a place, and what is there now.
    pub fn with(&self, place: AppIndex, slot: Slot, hosts: Arc<Hosts>) -> (Fleet, Slot) {
        let mut slots = self.slots.clone();
        if slots.len() <= place.0 {
            slots.resize(place.0 + 1, Slot::Vacant);
        }
        let former = std::mem::replace(&mut slots[place.0], slot);
        (Fleet::new(hosts, slots, self.epoch + 1), former)
    }

    /// Which one it is; the first is 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Who answers a `Host` header.
    pub fn find(&self, host: &str) -> Option<AppIndex> {
        self.hosts.find(host)
    }

    /// Who answers a `Host` header that names somebody.
    pub fn find_named(&self, host: &str) -> Option<AppIndex> {
        self.hosts.find_named(host)
    }

    /// An app.
    pub fn slot(&self, index: AppIndex) -> &Slot {
        self.slots.get(index.0).unwrap_or(&Slot::Vacant)
    }

    /// The apps that answer.
    pub fn live(&self) -> impl Iterator<Item = &Rc<Served>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Live(served) => Some(served),
            _ => None,
        })
    }

    /// The apps' names.
    pub fn app_names(&self) -> Vec<&str> {
        let there = self
            .slots
            .iter()
            .filter(|slot| !matches!(slot, Slot::Vacant));
        there.map(Slot::name).collect()
    }
}
