//! A worker's VMs of hosts.
//!
//! **Invariants.** A host has at most one VM here that answers; one that another takes the place of ends with its requests, as at a deploy. There are at
//! most [`super::Settings::tenants`]. A path that is known is answered without a wait and without a lock.

use super::site::{Edition, Site};
use super::{HostMap, Shared};
use crate::fleet::Served;
use crate::hosts::AppIndex;
use crate::stage::Stage;
use rille_runtime::late::{Failure, Why};
use rille_runtime::route::TargetId;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The most paths that are known of a host; beyond them it begins anew.
const MAX_PATHS: usize = 10_000;
/// How long an edition whose `init.lua` failed is not tried again.
const FAILED: Duration = Duration::from_secs(10);

/// The hosts of a worker.
pub struct Tenants {
    /// For all workers.
    pub map: HostMap,
    stage: Weak<Stage>,
    by_host: RefCell<HashMap<Box<str>, Rc<Tenant>>>,
    clock: Cell<u64>,
    places: Cell<usize>,
}

/// A host on a worker.
pub struct Tenant {
    /// For all workers.
    pub site: Arc<Site>,
    place: AppIndex,
    live: RefCell<Option<Rc<Live>>>,
    used: Cell<u64>,
    /// Held by who makes a VM.
    making: tokio::sync::Mutex<()>,
    /// An edition that could not be started, and until when it is not tried again.
    failed: Cell<Option<(u64, Instant)>>,
}

/// A VM of an edition.
pub struct Live {
    /// The VM.
    pub served: Rc<Served>,
    number: u64,
    /// Paths that are known.
    routes: RefCell<HashMap<Box<[u8]>, TargetId>>,
    /// When to ask for changes.
    look_at: Cell<Instant>,
}

impl Live {
    /// What answers a path, if that is known.
    pub fn route(&self, path: &[u8]) -> Option<TargetId> {
        self.routes.borrow().get(path).copied()
    }

    /// Remembers what answers a path.
    pub fn learn(&self, path: &[u8], target: TargetId) {
        let mut routes = self.routes.borrow_mut();
        if routes.len() >= MAX_PATHS {
            routes.clear();
        }
        routes.insert(path.into(), target);
    }
}

impl Tenants {
    /// None yet.
    pub fn new(map: HostMap, stage: &Rc<Stage>) -> Tenants {
        Tenants {
            map,
            stage: Rc::downgrade(stage),
            by_host: RefCell::default(),
            clock: Cell::new(0),
            places: Cell::new(usize::MAX),
        }
    }

    /// For all workers.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.map.0
    }

    /// A host that has a VM, or had.
    pub fn find(&self, host: &str) -> Option<Rc<Tenant>> {
        self.by_host.borrow().get(host).cloned()
    }

    /// The VM that answers at once; none if something has to be found out before.
    pub fn ready(self: &Rc<Self>, tenant: &Rc<Tenant>, now: Instant) -> Option<Rc<Live>> {
        let live = tenant.live.borrow().clone()?;
        self.use_it(tenant);
        if live.look_at.get() <= now {
            let shared = self.shared();
            live.look_at.set(now + shared.settings.look);
            shared.look(&tenant.site, now);
        }
        if tenant.site.number.load(Ordering::Relaxed) == live.number {
            return Some(live);
        }
        if live.number < tenant.site.least.load(Ordering::Relaxed) {
            return None;
        }
        // There is a newer one: it is made ready beside this one.
        if let (Ok(_), Some(edition)) = (tenant.making.try_lock(), tenant.site.current())
            && !tenant.has_failed(edition.number, now)
        {
            let (tenants, tenant) = (self.clone(), tenant.clone());
            tokio::task::spawn_local(async move {
                let _ = tenants.make(&tenant, &edition).await;
            });
        }
        Some(live)
    }

    /// It is the one that was used last.
    fn use_it(&self, tenant: &Tenant) {
        self.clock.set(self.clock.get() + 1);
        tenant.used.set(self.clock.get());
    }

    /// The VM of an edition, or of a newer one.
    pub async fn open(
        self: &Rc<Self>,
        site: &Arc<Site>,
        edition: &Arc<Edition>,
    ) -> Result<(Rc<Tenant>, Rc<Live>), Failure> {
        let tenant = self.find(&site.host).unwrap_or_else(|| {
            let place = self.places.get();
            self.places.set(place - 1);
            let tenant = Rc::new(Tenant {
                site: site.clone(),
                place: AppIndex(place),
                live: RefCell::default(),
                used: Cell::new(self.clock.get()),
                making: tokio::sync::Mutex::default(),
                failed: Cell::default(),
            });
            let host = site.host.clone();
            self.by_host.borrow_mut().insert(host, tenant.clone());
            tenant
        });
        self.use_it(&tenant);
        let live = self.make(&tenant, edition).await?;
        Ok((tenant, live))
    }

    async fn make(
        self: &Rc<Self>,
        tenant: &Rc<Tenant>,
        edition: &Arc<Edition>,
    ) -> Result<Rc<Live>, Failure> {
        let _making = tenant.making.lock().await;
        if let Some(live) = &*tenant.live.borrow()
            && live.number >= edition.number
        {
            return Ok(live.clone());
        }
        let stopping = || Failure::new(Why::Unavailable, "the server is stopping");
        let stage = self.stage.upgrade().ok_or_else(stopping)?;
        if tenant.has_failed(edition.number, Instant::now()) {
            return Err(could_not_start(&tenant.site.host));
        }
        let served = match stage.start_app(&edition.app).await {
            Ok(served) => Rc::new(served),
            Err(problem) => {
                let until = Instant::now() + FAILED;
                tenant.failed.set(Some((edition.number, until)));
                self.shared().complain(&problem);
                return Err(could_not_start(&tenant.site.host));
            }
        };
        let live = Rc::new(Live {
            served,
            number: edition.number,
            routes: RefCell::default(),
            look_at: Cell::new(Instant::now() + self.shared().settings.look),
        });
        let former = tenant.live.replace(Some(live.clone()));
        if let Some(former) = former {
            stage.retire(tenant.place, former.served.clone());
        }
        // It may have made way for others in the meantime.
        let host = tenant.site.host.clone();
        self.by_host.borrow_mut().insert(host, tenant.clone());
        self.make_room(tenant);
        Ok(live)
    }

    /// The hosts that were used longest ago make way for this one.
    fn make_room(&self, for_whom: &Rc<Tenant>) {
        let mut by_host = self.by_host.borrow_mut();
        while by_host.len() > self.shared().settings.tenants.max(1) {
            let others = by_host
                .values()
                .filter(|tenant| !Rc::ptr_eq(tenant, for_whom));
            let Some(oldest) = others.min_by_key(|tenant| tenant.used.get()).cloned() else {
                return;
            };
            by_host.remove(&oldest.site.host);
            let live = oldest.live.take();
            if let (Some(live), Some(stage)) = (live, self.stage.upgrade()) {
                stage.retire(oldest.place, live.served.clone());
            }
        }
    }

    /// Those that answer.
    pub fn live(&self) -> Vec<Rc<Served>> {
        let by_host = self.by_host.borrow();
        let live = by_host.values().filter_map(|tenant| {
            let live = tenant.live.borrow();
            live.as_ref().map(|live| live.served.clone())
        });
        live.collect()
    }
}

impl Tenant {
    fn has_failed(&self, number: u64, now: Instant) -> bool {
        let failed = self.failed.get();
        failed.is_some_and(|(failed, until)| failed == number && now < until)
    }
}

fn could_not_start(host: &str) -> Failure {
    let why = format!("the app of '{host}' could not be started; the server's log says why");
    Failure::new(Why::Limit, why)
}
