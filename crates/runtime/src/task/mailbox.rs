//! Messages within a VM: copied when they are sent, kept in the VM's heap until they are received.
//!
//! An event is a table `{what, sender, parameter}`. A mailbox with one event is that event; one with more is a ring in a table, which
//! goes when the last is taken. So a task that waits for its next message has no mailbox at all; and where it takes any message, that
//! is handed to its coroutine past the mailbox.
//!
//! **Invariants.** `boxes[slot + 1]` is false exactly if the task's `count` is 0. With a ring (`capacity` is not 0), event `i` is at
//! `(head + i) % capacity + 1`, and `sizes` has one number for each. Events are taken in the order in which they came.
//! At most [`MAX_MESSAGES`] and `limits.mailbox` bytes are in a mailbox, apart from what the host itself says (once for each monitor or link, and `deploy`).

use super::{MAX_MESSAGES, MAX_VALUES, State, Tasks, Tid};
use crate::vm::AppVm;
use rille_lua::Value;
use rille_lua::copy::{CopyLimits, NoCopy};
use rille_lua::heap::Gc;
use rille_lua::native::{Ctx, Thrown};
use rille_lua::string::Str;
use rille_lua::table::Table;
use rille_lua::value::Val;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Bytes that an event counts for besides its strings and its parameter.
const EVENT_BYTES: usize = 160;
/// The first ring of a mailbox.
const FIRST_RING: usize = 4;

/// Why a message was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The receiver has ended, or never was.
    NoTask,
    /// It has as many messages as it may have.
    Full,
    /// The message is larger than any mailbox.
    TooLarge,
    /// What is said is no data.
    NoData(String),
    /// What is said cannot be reached.
    Away(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::NoTask => f.write_str("no such task"),
            Refused::Full => f.write_str("mailbox full"),
            Refused::TooLarge => f.write_str("message too large"),
            Refused::NoData(what) => write!(f, "{what}: messages carry data only"),
            Refused::Away(why) => f.write_str(why),
        }
    }
}

impl Refused {
    /// `name` is what the value is called: `parameter`.
    pub(super) fn from_copy(why: NoCopy, name: &str) -> Refused {
        match why {
            NoCopy::TooLarge => Refused::TooLarge,
            NoCopy::Kind { path, type_name } => {
                Refused::NoData(format!("{name}{path} is a {type_name}"))
            }
        }
    }
}

/// Which events a `receive` takes. The values are reachable from the native's arguments.
#[derive(Clone, Copy)]
pub struct Selector {
    /// The event's `what`; nil: any.
    pub what: Val,
    /// Its sender; nil: any.
    pub sender: Val,
}

impl Selector {
    fn takes_all(&self) -> bool {
        self.what.is_nil() && self.sender.is_nil()
    }
}

/// What there is for a `receive`.
pub enum Wait {
    /// This event, which is not in the mailbox any more: root it.
    Event(Val),
    /// None, and the time is over.
    Late,
    /// None yet: the native is to park.
    Park,
}

impl Tasks {
    pub(super) fn copy_limits(&self) -> CopyLimits {
        CopyLimits {
            values: MAX_VALUES,
            bytes: self.limits.mailbox,
        }
    }

    /// Sends an event from the current task; its parameter is copied. `what` and `parameter` are reachable.
    pub fn send(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        to: Tid,
        what: Gc<Str>,
        parameter: Val,
    ) -> Result<Result<(), Refused>, Thrown> {
        ctx.charge(8);
        if to.vm() != self.post.id {
            return self.send_away(ctx, to, what, parameter);
        }
        let (slot, is_open) = {
            let slab = self.slab.borrow();
            let Some(slot) = slab.find(to) else {
                return Ok(Err(Refused::NoTask));
            };
            (slot, slab.get(slot).is_open())
        };
        let sender = self.sender(ctx);
        let threads = ctx.table_of(&self.threads);
        let at = i64::from(slot) + 1;
        if let Some(threads) = threads {
            ctx.fetch_ahead(threads, at, false);
        }
        let kept = ctx.table_of(&self.kept);
        let copied = match ctx.copy_data(parameter, kept, self.copy_limits())? {
            Ok(copied) => copied,
            Err(why) => return Ok(Err(Refused::from_copy(why, "parameter"))),
        };
        let bytes = EVENT_BYTES + what.len() + copied.bytes;
        if let Some(threads) = threads
            && is_open
            && bytes <= self.limits.mailbox
        {
            let event = self.make_event(ctx, sender, Val::str(what), copied.value)?;
            ctx.fetch_ahead(threads, at, true);
            if ctx.hand_over(threads, at, event) {
                self.make_ready(slot);
                return Ok(Ok(()));
            }
            self.put_event(ctx, slot, event, bytes)?;
            return Ok(Ok(()));
        }
        if let Err(refused) = self.has_room(slot, bytes) {
            return Ok(Err(refused));
        }
        self.post_event(ctx, slot, sender, Val::str(what), copied.value, bytes)?;
        Ok(Ok(()))
    }

    /// Sends an event on behalf of nobody: from outside of the VM.
    pub fn send_from_outside(
        self: &Rc<Self>,
        to: Tid,
        what: &str,
        parameter: &Value,
    ) -> rille_lua::Result<Result<(), Refused>> {
        let Some(vm) = self.vm() else {
            return Ok(Err(Refused::NoTask));
        };
        vm.lua().with_native(|ctx| {
            let what = ctx.new_str(what.as_bytes())?;
            ctx.push(Val::str(what));
            let parameter = ctx.value_of(parameter).unwrap_or_default();
            self.send(ctx, to, what, parameter)
        })
    }

    fn has_room(&self, slot: u32, bytes: usize) -> Result<(), Refused> {
        let slab = self.slab.borrow();
        let task = slab.get(slot);
        if bytes > self.limits.mailbox {
            Err(Refused::TooLarge)
        } else if task.count >= MAX_MESSAGES || task.bytes + bytes > self.limits.mailbox {
            Err(Refused::Full)
        } else {
            Ok(())
        }
    }

    /// As [`Tasks::send`], with a parameter that is the receiver's own already.
    pub(super) fn deliver(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        slot: u32,
        sender: Option<Tid>,
        what: Val,
        parameter: Val,
        bytes: usize,
    ) -> Result<Result<(), Refused>, Thrown> {
        let bytes = EVENT_BYTES.saturating_add(bytes);
        if let Err(refused) = self.has_room(slot, bytes) {
            return Ok(Err(refused));
        }
        self.post_event(ctx, slot, sender, what, parameter, bytes)?;
        Ok(Ok(()))
    }

    /// Tells a task of this VM that another one has ended.
    pub(super) fn tell_stopped(self: &Rc<Self>, slot: u32, stopped: Tid, reason: &str) {
        let Some(vm) = self.vm() else { return };
        let told = vm.lua().with_native(|ctx| {
            let Some(what) = ctx.str_of(&self.words.task_stopped) else {
                return Ok(());
            };
            let text = ctx.new_str(reason.as_bytes())?;
            ctx.push(Val::str(text));
            let (what, text) = (Val::str(what), Val::str(text));
            let bytes = EVENT_BYTES + reason.len();
            self.post_event(ctx, slot, Some(stopped), what, text, bytes)
        });
        if let Err(error) = told {
            vm.log().server(format_args!(
                "task {} is not told that task {stopped} has ended: {}",
                self.slab.borrow().tid(slot),
                error.message()
            ));
        }
    }

    /// Tells a task of this VM that another version of the app has taken the place of its own.
    pub(super) fn tell_deploy(self: &Rc<Self>, vm: &AppVm, slot: u32) {
        // A task that cannot be told for lack of memory is ended without it.
        let _ = vm.lua().with_native(|ctx| {
            let Some(what) = ctx.str_of(&self.words.deploy) else {
                return Ok(());
            };
            self.post_event(ctx, slot, None, Val::str(what), Val::NIL, EVENT_BYTES)
        });
    }

    /// Makes an event and puts it into the mailbox. The values are reachable, but `parameter` need not be.
    fn post_event(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        slot: u32,
        sender: Option<Tid>,
        what: Val,
        parameter: Val,
        bytes: usize,
    ) -> Result<(), Thrown> {
        let event = self.make_event(ctx, sender, what, parameter)?;
        self.put_event(ctx, slot, event, bytes)
    }

    /// Makes an event. It is not reachable.
    #[inline]
    fn make_event(
        &self,
        ctx: &mut Ctx<'_>,
        sender: Option<Tid>,
        what: Val,
        parameter: Val,
    ) -> Result<Val, Thrown> {
        let words = &self.words;
        let (Some(shape), Some(name), Some(from), Some(value)) = (
            ctx.table_of(&words.event),
            ctx.str_of(&words.what),
            ctx.str_of(&words.sender),
            ctx.str_of(&words.parameter),
        ) else {
            return Ok(Val::NIL);
        };
        let sender = sender.map_or(Val::NIL, |tid| Val::int(tid.to_integer()));
        let fields = [(name, what), (from, sender), (value, parameter)];
        ctx.push(parameter);
        let event = ctx.new_record(shape, &fields)?;
        ctx.pop();
        Ok(Val::table(event))
    }

    /// Puts an event into the mailbox, and wakes the task if it waits for one.
    fn put_event(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        slot: u32,
        event: Val,
        bytes: usize,
    ) -> Result<(), Thrown> {
        ctx.push(event);
        self.put(ctx, slot, event, bytes)?;
        ctx.pop();
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        task.count += 1;
        task.bytes += bytes;
        let waits = task.state == State::Receiving;
        let guest = match task.state {
            State::Guest => task.extra().waker.take(),
            _ => None,
        };
        drop(slab);
        if waits {
            self.make_ready(slot);
        } else if let Some(guest) = guest {
            guest.wake();
        }
        Ok(())
    }

    /// Puts an event behind the others; it is reachable.
    fn put(&self, ctx: &mut Ctx<'_>, slot: u32, event: Val, bytes: usize) -> Result<(), Thrown> {
        let Some(boxes) = ctx.table_of(&self.boxes) else {
            return Ok(());
        };
        let at = i64::from(slot) + 1;
        let (count, size, capacity) = {
            let slab = self.slab.borrow();
            let task = slab.get(slot);
            let capacity = task.extra.as_ref().map_or(0, |extra| extra.capacity);
            (task.count as usize, task.bytes, capacity)
        };
        if count == 0 {
            return ctx.raw_set_int(boxes, at, event);
        }
        if count >= capacity {
            self.grow_ring(ctx, boxes, slot, count, size)?;
        }
        let Some(ring) = boxes.get_int(at).as_table() else {
            return Ok(());
        };
        let place = {
            let mut slab = self.slab.borrow_mut();
            let extra = slab.get_mut(slot).extra();
            (extra.head + count) % extra.capacity
        };
        ctx.raw_set_int(ring, place as i64 + 1, event)?;
        self.slab
            .borrow_mut()
            .get_mut(slot)
            .extra()
            .sizes
            .push_back(bytes);
        Ok(())
    }

    /// Makes a larger ring of the one event, or of the ring that is full.
    fn grow_ring(
        &self,
        ctx: &mut Ctx<'_>,
        boxes: Gc<Table>,
        slot: u32,
        count: usize,
        size: usize,
    ) -> Result<(), Thrown> {
        let at = i64::from(slot) + 1;
        let (head, old) = {
            let mut slab = self.slab.borrow_mut();
            let extra = slab.get_mut(slot).extra();
            (extra.head, extra.capacity)
        };
        let capacity = if old == 0 { FIRST_RING } else { old * 2 };
        ctx.charge(count);
        let former = boxes.get_int(at);
        let ring = ctx.new_table(capacity, 0)?;
        ctx.push(Val::table(ring));
        for i in 0..count {
            let event = match former.as_table() {
                Some(former) if old != 0 => former.get_int(((head + i) % old) as i64 + 1),
                _ => former,
            };
            ctx.raw_set_int(ring, i as i64 + 1, event)?;
        }
        ctx.raw_set_int(boxes, at, Val::table(ring))?;
        ctx.pop();
        let mut slab = self.slab.borrow_mut();
        let extra = slab.get_mut(slot).extra();
        extra.capacity = capacity;
        extra.head = 0;
        if old == 0 {
            extra.sizes.clear();
            extra.sizes.push_back(size);
        }
        Ok(())
    }

    /// Takes the first event for `selector`, from the `from`th on.
    fn take(
        &self,
        ctx: &mut Ctx<'_>,
        slot: u32,
        selector: Selector,
        from: usize,
    ) -> Result<Option<Val>, Thrown> {
        let at = i64::from(slot) + 1;
        let (count, capacity, head) = {
            let slab = self.slab.borrow();
            let task = slab.get(slot);
            let ring = task.extra.as_ref().map_or((0, 0), |e| (e.capacity, e.head));
            (task.count as usize, ring.0, ring.1)
        };
        if from >= count {
            return Ok(None);
        }
        let Some(boxes) = ctx.table_of(&self.boxes) else {
            return Ok(None);
        };
        let stored = boxes.get_int(at);
        if capacity == 0 {
            if !self.matches(ctx, stored, selector) {
                return Ok(None);
            }
            ctx.push(stored);
            ctx.raw_set_int(boxes, at, Val::FALSE)?;
            ctx.pop();
            let mut slab = self.slab.borrow_mut();
            let task = slab.get_mut(slot);
            task.count = 0;
            task.bytes = 0;
            return Ok(Some(stored));
        }
        let Some(ring) = stored.as_table() else {
            return Ok(None);
        };
        ctx.charge((count - from) / 2);
        let place = |i: usize| ((head + i) % capacity) as i64 + 1;
        let found = (from..count).find(|i| self.matches(ctx, ring.get_int(place(*i)), selector));
        let Some(index) = found else {
            return Ok(None);
        };
        let event = ring.get_int(place(index));
        ctx.push(event);
        // Those before it move up one place.
        ctx.charge(index / 4);
        for i in (0..index).rev() {
            ctx.raw_set_int(ring, place(i + 1), ring.get_int(place(i)))?;
        }
        ctx.raw_set_int(ring, place(0), Val::NIL)?;
        if count == 1 {
            ctx.raw_set_int(boxes, at, Val::FALSE)?;
        }
        ctx.pop();
        self.forget(slot, index);
        Ok(Some(event))
    }

    /// The `index`th message of a ring has gone, and those before it have moved.
    fn forget(&self, slot: u32, index: usize) {
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        task.count -= 1;
        let is_empty = task.count == 0;
        let extra = task.extra();
        extra.head = (extra.head + 1) % extra.capacity;
        let size = extra.sizes.remove(index).unwrap_or(0);
        if is_empty {
            (extra.capacity, extra.head) = (0, 0);
            extra.sizes = Default::default();
        }
        task.bytes = task.bytes.saturating_sub(size);
    }

    fn matches(&self, ctx: &Ctx<'_>, event: Val, selector: Selector) -> bool {
        if selector.takes_all() {
            return true;
        }
        let Some(event) = event.as_table() else {
            return false;
        };
        let fits = |word, wanted: Val| {
            wanted.is_nil()
                || ctx
                    .str_of(word)
                    .is_some_and(|word| ctx.raw_get(event, Val::str(word)).raw_eq(wanted))
        };
        fits(&self.words.what, selector.what) && fits(&self.words.sender, selector.sender)
    }

    /// What there is for a guest; it is never late.
    pub(super) fn take_for(
        &self,
        ctx: &mut Ctx<'_>,
        slot: u32,
        selector: Selector,
    ) -> Result<Wait, Thrown> {
        let event = self.take(ctx, slot, selector, 0)?;
        Ok(event.map_or(Wait::Park, Wait::Event))
    }

    /// Begins a `receive` of the task whose turn it is. `timeout` is `None` for as long as it takes; without time it is a poll.
    pub fn receive(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        selector: Selector,
        timeout: Option<Duration>,
    ) -> Result<Wait, Thrown> {
        let Some(slot) = self.running.get() else {
            return Ok(Wait::Late);
        };
        if let Some(event) = self.take(ctx, slot, selector, 0)? {
            return Ok(Wait::Event(event));
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Ok(Wait::Late);
        }
        let takes_any = selector.takes_all() && timeout.is_none();
        self.wait(slot, State::Receiving, timeout, takes_any);
        Ok(Wait::Park)
    }

    /// Goes on with a `receive` that was parked.
    pub fn receive_again(
        self: &Rc<Self>,
        ctx: &mut Ctx<'_>,
        selector: Selector,
    ) -> Result<Wait, Thrown> {
        let Some(slot) = self.running.get() else {
            return Ok(Wait::Late);
        };
        let (from, is_late, has_deadline) = {
            let slab = self.slab.borrow();
            let task = slab.get(slot);
            (task.scanned as usize, task.is_late, task.deadline != 0)
        };
        if let Some(event) = self.take(ctx, slot, selector, from)? {
            if has_deadline {
                self.clear_deadline(slot);
            }
            return Ok(Wait::Event(event));
        }
        if is_late {
            return Ok(Wait::Late);
        }
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        task.scanned = task.count;
        task.state = State::Receiving;
        Ok(Wait::Park)
    }

    /// The task whose turn it is sleeps; the native parks. Its continuation asks [`Tasks::has_slept`].
    pub fn sleep(self: &Rc<Self>, time: Duration) -> bool {
        let Some(slot) = self.running.get() else {
            return false;
        };
        self.wait(slot, State::Sleeping, Some(time), false);
        true
    }

    fn wait(self: &Rc<Self>, slot: u32, state: State, timeout: Option<Duration>, takes_any: bool) {
        let mut slab = self.slab.borrow_mut();
        let task = slab.get_mut(slot);
        task.state = state;
        task.is_late = false;
        task.takes_any = takes_any;
        task.scanned = task.count;
        drop(slab);
        if let Some(timeout) = timeout {
            self.set_deadline(slot, timeout);
        }
    }

    /// How many messages the current task has.
    pub fn waiting(&self) -> usize {
        let slab = self.slab.borrow();
        self.current_slot()
            .map_or(0, |slot| slab.get(slot).count as usize)
    }
}
