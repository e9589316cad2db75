//! `[limits]`: budgets of an app, their defaults and the most that can be asked for.
//!
//! **Invariant:** what is read lies between the least that makes sense and a ceiling: the operator's, or else [`Limits::MOST`].

use super::reader::{Reader, Section};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const MS: Duration = Duration::from_millis(1);
/// The most of anything that is counted.
const MANY: u64 = 10_000_000;

/// The budgets of an app. Unless it says otherwise a budget is per worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one VM's heap.
    pub memory: u64,
    /// Processor time of one request.
    pub cpu: Duration,
    /// Time from the arrival of a request to its end, waits included.
    pub wall: Duration,
    /// Bytes of a request's body.
    pub body: u64,
    /// Bytes of a response that are kept until it is flushed or ends.
    pub response: u64,
    /// Bytes of the app's `kv`, on the disk (see [`crate::kv`] for what is counted).
    pub kv: u64,
    /// Bytes of the app's `cache`, in memory and shared by all workers.
    pub cache: u64,
    /// Bytes of log and print output a second, per worker.
    pub log: u64,
    /// Open sockets.
    pub sockets: u64,
    /// Connections that requests have taken for themselves, WebSockets above all, at once and per worker.
    pub upgrades: u64,
    /// Running tasks.
    pub tasks: u64,
    /// Timers of `timer`.
    pub timers: u64,
    /// Timers of `ngx.timer` that wait.
    pub pending_timers: u64,
    /// Timers of `ngx.timer` that run.
    pub running_timers: u64,
    /// Light threads of one request, timer or task.
    pub threads: u64,
    /// Requests of one `ngx.location.capture_multi`.
    pub subrequests: u64,
    /// Bytes in the mailbox of one task.
    pub mailbox: u64,
    /// Processor time of one task in a minute.
    pub cpu_per_minute: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: 64 << 20,
            cpu: Duration::from_millis(200),
            wall: Duration::from_secs(30),
            body: 8 << 20,
            response: 64 << 20,
            kv: 16 << 20,
            cache: 16 << 20,
            log: 256 << 10,
            sockets: 64,
            upgrades: 5000,
            tasks: 10_000,
            timers: 10_000,
            pending_timers: 1024,
            running_timers: 256,
            threads: 10_000,
            subrequests: 200,
            mailbox: 1 << 20,
            cpu_per_minute: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The most that can be asked for at all.
    pub const MOST: Limits = Limits {
        memory: 64 << 30,
        cpu: HOUR,
        wall: Duration::from_secs(24 * 3600),
        body: 4 << 30,
        response: 4 << 30,
        kv: 64 << 30,
        cache: 64 << 30,
        log: 1 << 30,
        sockets: MANY,
        upgrades: MANY,
        tasks: MANY,
        timers: MANY,
        pending_timers: MANY,
        running_timers: MANY,
        threads: MANY,
        subrequests: MANY,
        mailbox: 1 << 30,
        cpu_per_minute: Duration::from_secs(60),
    };

    /// The most that an app can ask for whose code is somebody else's, unless the operator says otherwise.
    pub const TENANT: Limits = Limits {
        memory: 512 << 20,
        cpu: Duration::from_secs(10),
        wall: HOUR,
        body: 64 << 20,
        response: 64 << 20,
        kv: 1 << 30,
        cache: 256 << 20,
        log: 1 << 20,
        sockets: 1000,
        upgrades: 10_000,
        tasks: 100_000,
        timers: 100_000,
        pending_timers: 10_000,
        running_timers: 1000,
        threads: 10_000,
        subrequests: 1000,
        mailbox: 16 << 20,
        cpu_per_minute: Duration::from_secs(30),
    };

    /// The lesser of two, one by one.
    pub fn at_most(&self, ceilings: &Limits) -> Limits {
        let (mut least, mut ceilings) = (self.clone(), ceilings.clone());
        for (slot, ceiling) in least.sizes().into_iter().zip(ceilings.sizes()) {
            *slot.1 = (*slot.1).min(*ceiling.1);
        }
        for (slot, ceiling) in least.times().into_iter().zip(ceilings.times()) {
            *slot.1 = (*slot.1).min(*ceiling.1);
        }
        for (slot, ceiling) in least.counts().into_iter().zip(ceilings.counts()) {
            *slot.1 = (*slot.1).min(*ceiling.1);
        }
        least
    }

    /// What is in bytes, with the least of each.
    fn sizes(&mut self) -> [(&'static str, &mut u64, u64); 7] {
        [
            ("memory", &mut self.memory, 1 << 20),
            ("body", &mut self.body, 0),
            ("response", &mut self.response, 0),
            ("kv", &mut self.kv, 0),
            ("cache", &mut self.cache, 0),
            ("log", &mut self.log, 0),
            ("mailbox", &mut self.mailbox, 1 << 10),
        ]
    }

    /// What is a time.
    fn times(&mut self) -> [(&'static str, &mut Duration); 3] {
        [
            ("cpu", &mut self.cpu),
            ("wall", &mut self.wall),
            ("cpu_per_minute", &mut self.cpu_per_minute),
        ]
    }

    /// What is counted.
    fn counts(&mut self) -> [(&'static str, &mut u64); 8] {
        [
            ("sockets", &mut self.sockets),
            ("upgrades", &mut self.upgrades),
            ("tasks", &mut self.tasks),
            ("timers", &mut self.timers),
            ("pending_timers", &mut self.pending_timers),
            ("running_timers", &mut self.running_timers),
            ("threads", &mut self.threads),
            ("subrequests", &mut self.subrequests),
        ]
    }
}

/// Reads a table of limits, none above its ceiling. `place` is how the table is written, and `besides` a key of it that is read elsewhere.
pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    table: &Section<'a>,
    (place, besides): (&str, &[&'static str]),
    limits: &mut Limits,
    ceilings: &Limits,
) {
    let (mut ceilings, mut most) = (ceilings.clone(), Limits::MOST);
    let mut keys: Vec<&str> = besides.to_vec();
    keys.extend(limits.sizes().map(|(key, ..)| key));
    keys.extend(limits.times().map(|(key, _)| key));
    keys.extend(limits.counts().map(|(key, _)| key));
    reader.known_keys(table, place, &keys);
    let slots = limits
        .sizes()
        .into_iter()
        .zip(ceilings.sizes())
        .zip(most.sizes());
    for (((key, slot, least), (_, ceiling, _)), (_, most, _)) in slots {
        reader.is_operators(ceiling < most);
        if let Some(size) = reader.size(table, key, least, *ceiling) {
            *slot = size;
        }
    }
    let slots = limits
        .times()
        .into_iter()
        .zip(ceilings.times())
        .zip(most.times());
    for (((key, slot), (_, ceiling)), (_, most)) in slots {
        reader.is_operators(ceiling < most);
        if let Some(duration) = reader.duration(table, key, MS, *ceiling) {
            *slot = duration;
        }
    }
    let slots = limits
        .counts()
        .into_iter()
        .zip(ceilings.counts())
        .zip(most.counts());
    for (((key, slot), (_, ceiling)), (_, most)) in slots {
        reader.is_operators(ceiling < most);
        if let Some(count) = reader.count(table, key, *ceiling) {
            *slot = count;
        }
    }
    reader.is_operators(false);
}
