//! What goes from the tasks of one worker to those of another, and the names that all of them know.
//!
//! ```text
//!   task.send ---> letter (bytes) ---> channel of the VM ---> its worker wakes, decodes, delivers
//! ```
//!
//! **Invariants.** Nothing of a VM is in a letter. At most [`MAX_WAITING`] bytes of letters wait for a VM, apart from the endings of tasks
//! (one for each tie). A name is of one living task, or of one that has just ended.

use super::letter;
use super::slab::{MAX_VMS, State, Tid};
use super::watch::{Ending, MAX_TIES};
use super::{Refused, Tasks};
use rille_lua::heap::Gc;
use rille_lua::native::{Ctx, Thrown};
use rille_lua::string::Str;
use rille_lua::value::Val;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Bytes of letters that wait for a VM.
pub const MAX_WAITING: usize = 16 << 20;
/// Names of an app.
pub const MAX_NAMES: usize = 100_000;
/// Bytes of a name.
pub const MAX_NAME: usize = 255;
/// What a letter counts for besides its bytes.
const LETTER_BYTES: usize = 128;

/// What one VM says to another.
pub(super) enum Letter {
    Event {
        to: Tid,
        sender: Option<Tid>,
        what: Vec<u8>,
        parameter: Vec<u8>,
    },
    Kill {
        to: Tid,
    },
    /// `watcher` wants to know of the end of `to`, or does not any more.
    Watch {
        to: Tid,
        watcher: Tid,
        on: bool,
    },
    Link {
        to: Tid,
        other: Tid,
        on: bool,
    },
    /// `ended` has ended, which `to` watches or is linked with.
    Ended {
        to: Tid,
        ended: Tid,
        ending: Ending,
        is_link: bool,
    },
    IsAlive {
        tid: Tid,
        answer: oneshot::Sender<bool>,
    },
}

impl Letter {
    fn bytes(&self) -> usize {
        let inside = match self {
            Letter::Event {
                what, parameter, ..
            } => what.len() + parameter.len(),
            Letter::Ended { ending, .. } => ending.reason.len(),
            _ => 0,
        };
        inside + LETTER_BYTES
    }

    /// Whether it is sent however many wait: it says that something is over.
    fn is_due(&self) -> bool {
        matches!(self, Letter::Ended { .. })
    }
}

/// What the VMs of an app have in common.
#[derive(Debug, Default)]
pub struct Exchange(Mutex<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// By the VM's id, minus one.
    boxes: Vec<Option<Inbox>>,
    names: HashMap<Box<str>, Tid>,
}

#[derive(Debug, Clone)]
struct Inbox {
    letters: UnboundedSender<Letter>,
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter")
    }
}

/// Where the letters to a VM come out.
pub(super) struct Letters {
    receiver: UnboundedReceiver<Letter>,
    waiting: Arc<AtomicUsize>,
}

impl Exchange {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new VM's id, and its letters.
    pub(super) fn join(&self) -> (u32, Letters) {
        let (sender, receiver) = unbounded_channel();
        let waiting: Arc<AtomicUsize> = Arc::default();
        let made = Inbox {
            letters: sender,
            waiting: waiting.clone(),
        };
        let mut shared = self.lock();
        let id = match shared.boxes.iter().position(Option::is_none) {
            Some(free) => {
                shared.boxes[free] = Some(made);
                free
            }
            None => {
                shared.boxes.push(Some(made));
                shared.boxes.len() - 1
            }
        };
        // Beyond the last id, VMs have one that nobody reaches: they keep to themselves.
        let id = (id as u32 + 1).min(MAX_VMS);
        (id, Letters { receiver, waiting })
    }

    fn leave(&self, id: u32) {
        let mut shared = self.lock();
        if let Some(place) = shared.boxes.get_mut(id as usize - 1) {
            *place = None;
        }
        shared.names.retain(|_, tid| tid.vm() != id);
    }

    fn post(&self, to: Tid, letter: Letter) -> Result<(), Refused> {
        let found = (self.lock().boxes.get((to.vm() as usize).wrapping_sub(1))).cloned();
        let Some(Some(place)) = found else {
            return Err(Refused::NoTask);
        };
        let bytes = letter.bytes();
        let waiting = place.waiting.fetch_add(bytes, Ordering::Relaxed);
        let refused = match waiting + bytes > MAX_WAITING && !letter.is_due() {
            true => Some(Refused::Full),
            false => (place.letters.send(letter)).err().map(|_| Refused::NoTask),
        };
        match refused {
            None => Ok(()),
            Some(refused) => {
                place.waiting.fetch_sub(bytes, Ordering::Relaxed);
                Err(refused)
            }
        }
    }

    /// Who has a name.
    fn find(&self, name: &str) -> Option<Tid> {
        self.lock().names.get(name).copied()
    }

    /// Gives a task a name.
    fn register(&self, name: &str, tid: Tid) -> Result<(), String> {
        let mut shared = self.lock();
        match shared.names.get(name) {
            Some(other) if *other == tid => Ok(()),
            Some(other) => Err(format!("'{name}' is the name of task {other}")),
            None if shared.names.len() >= MAX_NAMES => Err("too many names".into()),
            None => {
                shared.names.insert(name.into(), tid);
                Ok(())
            }
        }
    }

    fn unregister(&self, name: &str, tid: Tid) -> bool {
        let mut shared = self.lock();
        let is_its = shared.names.get(name) == Some(&tid);
        if is_its {
            shared.names.remove(name);
        }
        is_its
    }
}

/// The VM's side of the exchange.
pub(super) struct Post {
    pub id: u32,
    letters: RefCell<Option<Letters>>,
    reader: RefCell<Option<AbortHandle>>,
    /// Names that only this VM knows.
    local: RefCell<HashMap<Box<str>, Tid>>,
    has_left: Cell<bool>,
}

impl Post {
    pub fn new(id: u32, letters: Letters) -> Post {
        Post {
            id,
            letters: RefCell::new(Some(letters)),
            reader: RefCell::default(),
            local: RefCell::default(),
            has_left: Cell::new(false),
        }
    }

    /// Nothing is received any more. The result is what reads letters.
    pub fn leave(&self) -> Option<AbortHandle> {
        self.has_left.set(true);
        self.reader.borrow_mut().take()
    }
}

impl Tasks {
    fn exchange<R>(&self, f: impl FnOnce(&Exchange) -> R) -> Option<R> {
        self.vm().map(|vm| f(&vm.app().exchange))
    }

    fn post(&self, to: Tid, letter: Letter) -> Result<(), Refused> {
        self.exchange(|exchange| exchange.post(to, letter))
            .unwrap_or(Err(Refused::NoTask))
    }

    /// The VM goes: nobody reaches its tasks any more.
    pub(crate) fn leave(&self, app: &crate::app::App) {
        app.exchange.leave(self.post.id);
    }

    /// Begins to read the letters of other VMs, once.
    pub(super) fn read_letters(self: &Rc<Self>) {
        let Some(mut letters) = self.post.letters.borrow_mut().take() else {
            return;
        };
        let weak = Rc::downgrade(self);
        let reader = tokio::task::spawn_local(async move {
            while let Some(letter) = letters.receiver.recv().await {
                letters.waiting.fetch_sub(letter.bytes(), Ordering::Relaxed);
                let Some(tasks) = weak.upgrade() else { return };
                tasks.read(letter);
            }
        });
        *self.post.reader.borrow_mut() = Some(reader.abort_handle());
    }

    fn read(self: &Rc<Self>, letter: Letter) {
        match letter {
            Letter::Event {
                to,
                sender,
                what,
                parameter,
            } => self.read_event(to, sender, &what, &parameter),
            Letter::Kill { to } => {
                self.kill_here(to, "killed");
            }
            Letter::Watch { to, watcher, on } => match self.find(to) {
                Some(slot) => {
                    let mut slab = self.slab.borrow_mut();
                    let watchers = &mut slab.get_mut(slot).extra().ties.watchers;
                    match on {
                        true => watchers.insert(watcher),
                        false => watchers.remove(&watcher),
                    };
                }
                None if on => self.say_ended(watcher, to, no_task(), false),
                None => {}
            },
            Letter::Link { to, other, on } => match self.find(to) {
                Some(slot) => {
                    let mut slab = self.slab.borrow_mut();
                    let links = &mut slab.get_mut(slot).extra().ties.links;
                    match on {
                        true => links.insert(other),
                        false => links.remove(&other),
                    };
                }
                None if on => self.say_ended(other, to, no_task(), true),
                None => {}
            },
            Letter::Ended {
                to,
                ended,
                ending,
                is_link,
            } => self.hear_ended(to, ended, &ending, is_link),
            Letter::IsAlive { tid, answer } => {
                let _ = answer.send(self.find(tid).is_some());
            }
        }
    }

    /// A message from another worker. What cannot be delivered is dropped: its sender has gone on.
    fn read_event(self: &Rc<Self>, to: Tid, sender: Option<Tid>, what: &[u8], parameter: &[u8]) {
        let (Some(vm), Some(slot)) = (self.vm(), self.find(to)) else {
            return;
        };
        let bytes = what.len() + parameter.len();
        let delivered = letter::decode(vm.lua(), &self.kept, parameter).and_then(|parameter| {
            vm.lua().with_native(|ctx| {
                let name = ctx.new_str(what)?;
                ctx.push(Val::str(name));
                let parameter = ctx.value_of(&parameter).unwrap_or(Val::NIL);
                self.deliver(ctx, slot, sender, Val::str(name), parameter, bytes)
            })
        });
        match delivered {
            Ok(Ok(())) => {}
            Ok(Err(refused)) => vm.log().server(format_args!(
                "a message from another worker to task {to} was dropped: {refused}"
            )),
            Err(error) => vm.log().server(format_args!(
                "a message from another worker to task {to} was dropped: {}",
                error.message()
            )),
        }
    }

    pub(super) fn send_away(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        to: Tid,
        what: Gc<Str>,
        parameter: Val,
    ) -> Result<Result<(), Refused>, Thrown> {
        let kept = ctx.table_of(&self.kept);
        // A copy has no more than its limits say, and is what it will be on the other side.
        let copied = match ctx.copy_data(parameter, kept, self.copy_limits())? {
            Ok(copied) => copied,
            Err(why) => return Ok(Err(Refused::from_copy(why, "parameter"))),
        };
        ctx.charge(copied.bytes / 8);
        let value = ctx.to_value(copied.value);
        let encoded = ctx.with_lua(|_| letter::encode(&self.kept, &value));
        let Some(Ok(parameter)) = encoded else {
            return Ok(Err(Refused::TooLarge));
        };
        let sender = self.sender(ctx);
        let letter = Letter::Event {
            to,
            sender,
            what: what.as_bytes().to_vec(),
            parameter,
        };
        Ok(self.post(to, letter))
    }

    /// Ends a task, wherever it is. False: it is known that there is none.
    pub fn kill(&self, tid: Tid) -> bool {
        match tid.vm() == self.post.id {
            true => self.kill_here(tid, "killed"),
            false => self.post(tid, Letter::Kill { to: tid }).is_ok(),
        }
    }

    /// Asks another worker whether a task is there.
    pub fn ask_alive(&self, tid: Tid) -> oneshot::Receiver<bool> {
        let (answer, receiver) = oneshot::channel();
        // Where it cannot be asked, the answer is dropped: no.
        let _ = self.post(tid, Letter::IsAlive { tid, answer });
        receiver
    }

    /// The current task is told when `tid` ends; at once, if it has. The error is a limit.
    pub fn monitor(self: &Rc<Self>, tid: Tid) -> Result<(), &'static str> {
        let me = self.tie(tid, false)?;
        match (tid.vm() == self.post.id, self.find(tid)) {
            (true, Some(slot)) => {
                let mut slab = self.slab.borrow_mut();
                slab.get_mut(slot).extra().ties.watchers.insert(me);
            }
            (true, None) => self.hear_ended(me, tid, &no_task(), false),
            (false, _) => {
                let (to, watcher) = (tid, me);
                if self
                    .post(
                        tid,
                        Letter::Watch {
                            to,
                            watcher,
                            on: true,
                        },
                    )
                    .is_err()
                {
                    self.hear_ended(me, tid, &no_task(), false);
                }
            }
        }
        Ok(())
    }

    /// Links the current task with another. The error is a limit.
    pub fn link(self: &Rc<Self>, tid: Tid) -> Result<(), &'static str> {
        let me = self.tie(tid, true)?;
        match (tid.vm() == self.post.id, self.find(tid)) {
            (true, Some(slot)) => {
                let mut slab = self.slab.borrow_mut();
                slab.get_mut(slot).extra().ties.links.insert(me);
            }
            (true, None) => self.hear_ended(me, tid, &no_task(), true),
            (false, _) => {
                let (to, other) = (tid, me);
                if self
                    .post(
                        tid,
                        Letter::Link {
                            to,
                            other,
                            on: true,
                        },
                    )
                    .is_err()
                {
                    self.hear_ended(me, tid, &no_task(), true);
                }
            }
        }
        Ok(())
    }

    fn tie(self: &Rc<Self>, tid: Tid, is_link: bool) -> Result<Tid, &'static str> {
        let me = self.current_or_guest().and_then(|me| self.find(me));
        let slot = me.ok_or("no task runs here")?;
        let mut slab = self.slab.borrow_mut();
        if is_link && slab.get(slot).state == State::Guest {
            return Err("no task runs here: only tasks are linked");
        }
        let me = slab.tid(slot);
        let ties = &mut slab.get_mut(slot).extra().ties;
        if is_link && tid == me {
            return Err("a task is not linked with itself");
        }
        if ties.is_full() {
            return Err("too many monitors and links");
        }
        match is_link {
            true => ties.links.insert(tid),
            false => ties.watches.insert(tid),
        };
        debug_assert!(ties.watches.len() + ties.links.len() <= MAX_TIES);
        Ok(me)
    }

    /// The current task does not want to know any more. False: it did not.
    pub fn demonitor(&self, tid: Tid) -> bool {
        self.cut(tid, false)
    }

    /// The current task is not linked with another any more. False: it was not.
    pub fn unlink(&self, tid: Tid) -> bool {
        self.cut(tid, true)
    }

    fn cut(&self, tid: Tid, is_link: bool) -> bool {
        let Some(slot) = self.current_slot() else {
            return false;
        };
        let mut slab = self.slab.borrow_mut();
        let me = slab.tid(slot);
        let ties = &mut slab.get_mut(slot).extra().ties;
        let was = match is_link {
            true => ties.links.remove(&tid),
            false => ties.watches.remove(&tid),
        };
        if let Some(other) = slab.find(tid) {
            let ties = &mut slab.get_mut(other).extra().ties;
            match is_link {
                true => ties.links.remove(&me),
                false => ties.watchers.remove(&me),
            };
        } else if was && tid.vm() != self.post.id {
            drop(slab);
            let letter = match is_link {
                true => Letter::Link {
                    to: tid,
                    other: me,
                    on: false,
                },
                false => Letter::Watch {
                    to: tid,
                    watcher: me,
                    on: false,
                },
            };
            let _ = self.post(tid, letter);
        }
        was
    }

    /// Whether the end of what the current task is linked with is an event for it; the former answer.
    pub fn trap_exits(&self, on: bool) -> bool {
        let Some(slot) = self.current_slot() else {
            return false;
        };
        std::mem::replace(&mut self.slab.borrow_mut().get_mut(slot).traps, on)
    }

    /// A task has ended: those it was tied to are told, and its names are free.
    pub(super) fn untie(self: &Rc<Self>, tid: Tid, ties: super::watch::Ties, ending: &Ending) {
        for name in &ties.names {
            self.post.local.borrow_mut().remove(name);
            self.exchange(|exchange| exchange.unregister(name, tid));
        }
        for watched in ties.watches {
            if let Some(slot) = self.find(watched) {
                let mut slab = self.slab.borrow_mut();
                slab.get_mut(slot).extra().ties.watchers.remove(&tid);
            } else if watched.vm() != self.post.id {
                let letter = Letter::Watch {
                    to: watched,
                    watcher: tid,
                    on: false,
                };
                let _ = self.post(watched, letter);
            }
        }
        for watcher in ties.watchers {
            self.say_ended(watcher, tid, ending.clone(), false);
        }
        for linked in ties.links {
            self.say_ended(linked, tid, ending.clone(), true);
        }
    }

    fn say_ended(self: &Rc<Self>, to: Tid, ended: Tid, ending: Ending, is_link: bool) {
        if to.vm() == self.post.id {
            return self.hear_ended(to, ended, &ending, is_link);
        }
        let letter = Letter::Ended {
            to,
            ended,
            ending,
            is_link,
        };
        let _ = self.post(to, letter);
    }

    /// A task of this VM hears of the end of one that it watches or is linked with.
    fn hear_ended(self: &Rc<Self>, to: Tid, ended: Tid, ending: &Ending, is_link: bool) {
        let Some(slot) = self.find(to) else { return };
        let (was, traps) = {
            let mut slab = self.slab.borrow_mut();
            let task = slab.get_mut(slot);
            let traps = task.traps;
            let ties = &mut task.extra().ties;
            let was = match is_link {
                true => ties.links.remove(&ended),
                false => ties.watches.remove(&ended),
            };
            (was, traps)
        };
        if !was {
            return;
        }
        match is_link && !traps {
            false => self.tell_stopped(slot, ended, &ending.reason),
            true if ending.is_normal => {}
            true => {
                let reason = format!("linked task {ended} ended: {}", ending.reason);
                self.kill_here(to, &short(reason));
            }
        }
    }

    /// Gives the current task a name.
    pub fn register(&self, name: &str, tid: Tid, only_here: bool) -> Result<(), String> {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(format!("a name has 1 to {MAX_NAME} bytes"));
        }
        let slot = self.find(tid).ok_or("no such task")?;
        if only_here {
            let mut local = self.post.local.borrow_mut();
            match local.get(name) {
                Some(other) if *other != tid => {
                    return Err(format!("'{name}' is the name of task {other}"));
                }
                _ => local.insert(name.into(), tid),
            };
        } else {
            self.exchange(|exchange| exchange.register(name, tid))
                .unwrap_or(Err("the app has gone".into()))?;
        }
        let mut slab = self.slab.borrow_mut();
        let names = &mut slab.get_mut(slot).extra().ties.names;
        if !names.iter().any(|known| **known == *name) {
            names.push(name.into());
        }
        Ok(())
    }

    /// Takes a name from the task that has it, if that is one of this VM's. False: it has none.
    pub fn unregister(&self, name: &str) -> bool {
        let Some(tid) = self.whereis(name) else {
            return false;
        };
        let Some(slot) = self.find(tid) else {
            return false;
        };
        self.post.local.borrow_mut().remove(name);
        self.exchange(|exchange| exchange.unregister(name, tid));
        let mut slab = self.slab.borrow_mut();
        let names = &mut slab.get_mut(slot).extra().ties.names;
        names.retain(|known| **known != *name);
        true
    }

    /// The task with a name: this VM's first, then any of the app's.
    pub fn whereis(&self, name: &str) -> Option<Tid> {
        let here = self.post.local.borrow().get(name).copied();
        here.or_else(|| self.exchange(|exchange| exchange.find(name))?)
    }
}

fn no_task() -> Ending {
    Ending::abnormal("no such task")
}

fn short(mut reason: String) -> String {
    const MOST: usize = 1024;
    if reason.len() > MOST {
        let end = (0..=MOST).rev().find(|at| reason.is_char_boundary(*at));
        reason.truncate(end.unwrap_or(0));
    }
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(to: Tid, bytes: usize) -> Letter {
        Letter::Event {
            to,
            sender: None,
            what: Vec::new(),
            parameter: vec![0; bytes],
        }
    }

    #[test]
    fn letters_wait_up_to_a_limit() {
        let exchange = Exchange::default();
        let (id, mut letters) = exchange.join();
        let to = Tid::new(id, 1, 0);
        for _ in 0..16 {
            assert_eq!(
                exchange.post(to, event(to, (1 << 20) - LETTER_BYTES)),
                Ok(())
            );
        }
        assert_eq!(exchange.post(to, event(to, 0)), Err(Refused::Full));
        // What is over is said all the same.
        let ended = Letter::Ended {
            to,
            ended: to,
            ending: Ending::normal(),
            is_link: false,
        };
        assert_eq!(exchange.post(to, ended), Ok(()));
        let first = letters.receiver.try_recv().unwrap();
        letters.waiting.fetch_sub(first.bytes(), Ordering::Relaxed);
        assert_eq!(exchange.post(to, event(to, 1000)), Ok(()));
        exchange.leave(id);
        assert_eq!(exchange.post(to, event(to, 0)), Err(Refused::NoTask));
        drop(letters);
    }

    #[test]
    fn an_id_is_used_again_and_there_are_not_more_than_fit() {
        let exchange = Exchange::default();
        let joined: Vec<_> = (0..MAX_VMS).map(|_| exchange.join()).collect();
        assert_eq!(joined[0].0, 1);
        assert_eq!(joined[MAX_VMS as usize - 1].0, MAX_VMS);
        exchange.leave(7);
        assert_eq!(exchange.join().0, 7);
        // One too many has an id, but its letters go to another.
        assert_eq!(exchange.join().0, MAX_VMS);
    }

    #[test]
    fn names_are_of_one_task_and_there_are_not_too_many() {
        let exchange = Exchange::default();
        let (a, b) = (Tid::new(1, 1, 0), Tid::new(2, 1, 0));
        assert_eq!(exchange.register("x", a), Ok(()));
        assert_eq!(exchange.register("x", a), Ok(()));
        assert!(exchange.register("x", b).is_err());
        assert!(!exchange.unregister("x", b));
        assert_eq!(exchange.find("x"), Some(a));
        for i in 1..MAX_NAMES {
            assert_eq!(exchange.register(&i.to_string(), b), Ok(()));
        }
        assert_eq!(
            exchange.register("one more", b),
            Err("too many names".into())
        );
        exchange.leave(2);
        assert_eq!(exchange.register("one more", a), Ok(()));
        assert_eq!(exchange.find("7"), None);
    }
}
