//! What a connection is doing, and a watch over connections that do not move.
//!
//! **Invariants.** Every connection is in one [`Phase`] and the instant it entered it (or last made
//! progress in it) is known to within a [`TICK`]. The worker's [`Watch`] closes those that stay too
//! long. That costs a request two stores, where a timer of its own would cost a place in the wheel
//! twice per request.
//!
//! ```text
//!  Idle --first byte--> Head --request parsed--> Busy --response written--> Idle
//!  (keep-alive)         (slow headers)           (write stalls; a script's own time is its `wall`)
//!                                               |
//!                                               +--the script takes the connection--> Left (not timed)
//! ```

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// How often connections are looked at.
pub const TICK: Duration = Duration::from_millis(500);

/// In how many ticks connections that have left HTTP are looked at once.
const LEFT_TICKS: u32 = 4;

/// How long a connection may stay in each phase.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Between requests.
    pub idle: Duration,
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// Without any byte of a response accepted by the peer.
    pub write: Duration,
    /// How long a request may go on that has the connection and whose client has hung up, if it has not asked to hear of that.
    pub hung_up: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            idle: Duration::from_secs(75),
            head: Duration::from_secs(10),
            write: Duration::from_secs(30),
            hung_up: Duration::from_secs(60),
        }
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Between requests.
    Idle,
    /// Part of a request's head has arrived.
    Head,
    /// A request is being answered.
    Busy,
    /// A script has the connection, and limits of its own.
    Left,
}

/// The state of a connection that its socket, its service and the watch share.
pub struct Conn {
    phase: Cell<Phase>,
    since: Cell<Instant>,
    /// Since when the peer has taken nothing of what we have to write.
    stalled: Cell<Option<Instant>>,
    expired: Cell<bool>,
    /// Whether one that has been idle for too long is asked to go before it is closed, and whether it has been.
    says_goodbye: Cell<bool>,
    is_to_go: Cell<bool>,
    /// It is time to look whether the client of a connection that has left HTTP is still there.
    ticked: Cell<bool>,
    /// Who looks.
    looking: RefCell<Option<Waker>>,
    /// The connection's task, once it has waited for the socket.
    task: RefCell<Option<Waker>>,
    clock: Rc<Cell<Instant>>,
    hung_up: Duration,
}

impl Conn {
    /// How long a request may go on whose client has hung up.
    pub fn patience(&self) -> Duration {
        self.hung_up
    }

    /// The connection enters a phase.
    pub fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.since.set(self.clock.get());
        self.stalled.set(None);
    }

    /// Now, to within a [`TICK`].
    pub fn now(&self) -> Instant {
        self.clock.get()
    }

    fn overdue(&self, now: Instant, timeouts: &Timeouts) -> bool {
        if self.phase.get() == Phase::Left {
            return false;
        }
        if let Some(since) = self.stalled.get() {
            return now.duration_since(since) > timeouts.write;
        }
        let limit = match self.phase.get() {
            Phase::Idle => timeouts.idle,
            Phase::Head => timeouts.head,
            Phase::Busy | Phase::Left => return false,
        };
        now.duration_since(self.since.get()) > limit
    }

    /// Its protocol has a way to tell the peer that an idle connection is going to be closed.
    pub fn can_say_goodbye(&self) {
        self.says_goodbye.set(true);
    }

    /// Whether it has been idle for too long and is to end.
    pub fn is_to_go(&self) -> bool {
        self.is_to_go.get()
    }

    /// Asks it to go, once and if there is a way; it has the time of a head for that.
    fn ask_to_go(&self) -> bool {
        let asked = self.says_goodbye.get()
            && self.phase.get() == Phase::Idle
            && self.stalled.get().is_none()
            && !self.is_to_go.replace(true);
        if asked {
            self.enter(Phase::Head);
            self.wake();
        }
        asked
    }

    /// Makes the next read or write fail, and makes it happen.
    fn expire(&self) {
        self.expired.set(true);
        self.wake();
    }

    /// Makes the connection's task look at what has changed.
    pub fn wake(&self) {
        if let Some(waker) = self.task.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Makes a connection that has left HTTP look after its client.
    fn tick(&self) {
        if self.phase.get() == Phase::Left {
            self.ticked.set(true);
            let waker = self.looking.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Whether it was told to look after its client, once; who asks is woken when it is.
    pub fn takes_tick(&self, cx: &Context<'_>) -> bool {
        *self.looking.borrow_mut() = Some(cx.waker().clone());
        self.ticked.take()
    }

    /// Whether it has been closed for being overdue.
    pub fn has_expired(&self) -> bool {
        self.expired.get()
    }

    /// The peer takes nothing of what there is to write.
    pub fn stalls(&self) {
        if self.stalled.get().is_none() {
            self.stalled.set(Some(self.clock.get()));
        }
    }

    /// The peer has taken something.
    pub fn moves(&self) {
        self.stalled.set(None);
    }

    /// Its task waits for the socket.
    pub fn waits(&self, cx: &Context<'_>) {
        let mut task = self.task.borrow_mut();
        if !task
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *task = Some(cx.waker().clone());
        }
    }
}

/// The connections of a worker.
pub struct Watch {
    /// Now, to within a tick.
    clock: Rc<Cell<Instant>>,
    connections: RefCell<Vec<Weak<Conn>>>,
    timeouts: Timeouts,
}

impl Watch {
    /// A watch over no connections. Somebody must run [`Watch::run`].
    pub fn new(timeouts: Timeouts) -> Rc<Watch> {
        Rc::new(Watch {
            clock: Rc::new(Cell::new(Instant::now())),
            connections: RefCell::default(),
            timeouts,
        })
    }

    /// How long connections may take.
    pub fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    /// A new connection.
    pub fn add(&self) -> Rc<Conn> {
        let conn = Rc::new(Conn {
            phase: Cell::new(Phase::Idle),
            since: Cell::new(self.clock.get()),
            stalled: Cell::new(None),
            expired: Cell::new(false),
            says_goodbye: Cell::new(false),
            is_to_go: Cell::new(false),
            ticked: Cell::new(false),
            looking: RefCell::default(),
            task: RefCell::default(),
            clock: self.clock.clone(),
            hung_up: self.timeouts.hung_up,
        });
        self.connections.borrow_mut().push(Rc::downgrade(&conn));
        conn
    }

    /// Makes every connection's task look at what has changed.
    pub fn wake_all(&self) {
        for conn in self.connections.borrow().iter().filter_map(Weak::upgrade) {
            conn.wake();
        }
    }

    /// Expires what is overdue, every tick, for ever.
    pub async fn run(self: Rc<Self>) {
        let tick = TICK
            .min(self.timeouts.head / 2)
            .max(Duration::from_millis(10));
        let mut turn = 0u32;
        loop {
            tokio::time::sleep(tick).await;
            let now = Instant::now();
            self.clock.set(now);
            turn = turn.wrapping_add(1);
            let looks = turn.is_multiple_of(LEFT_TICKS);
            self.connections.borrow_mut().retain(|weak| {
                let Some(conn) = weak.upgrade() else {
                    return false;
                };
                let overdue = conn.overdue(now, &self.timeouts) && !conn.ask_to_go();
                if overdue {
                    conn.expire();
                } else if looks {
                    conn.tick();
                }
                !overdue
            });
        }
    }
}
