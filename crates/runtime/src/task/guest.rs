//! Mailboxes of what is no task: a request, or a timer of the app's, that asks a task something and waits for the answer.
//!
//! A guest has an id and a mailbox as a task has, and no coroutine: it waits for messages as for anything else of the host's. It is made when
//! it first sends, or asks for its id.
//!
//! **Invariants.** A guest is of one context, and is not given anything once that has gone. Those whose context has gone are cleared away before
//! there are twice as many guests as were alive then; until that, a message to one is accepted and lost.

use super::slab::{State, Tid};
use super::{Ending, Selector, Tasks, Wait};
use crate::vm::Context;
use rille_lua::native::Ctx;
use rille_lua::{Error, Lua, Result, Value};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::task::{Context as Polling, Poll};

/// Up to so many, those that have gone are not looked for.
const FEW: usize = 64;

#[derive(Default)]
pub(super) struct Guests {
    /// By the address of their context.
    known: HashMap<usize, Guest>,
    /// How many there may be before they are looked through.
    most: usize,
}

struct Guest {
    slot: u32,
    context: Weak<dyn Context>,
}

fn address(context: &Rc<dyn Context>) -> usize {
    Rc::as_ptr(context).cast::<()>().addr()
}

impl Tasks {
    /// How many guests there are, as far as is known.
    pub(super) fn guests(&self) -> usize {
        self.guests.borrow().known.len()
    }

    /// As [`Tasks::current_or_guest`], in the middle of a native.
    #[inline]
    pub fn sender(self: &Rc<Self>, ctx: &mut Ctx<'_>) -> Option<Tid> {
        match self.current() {
            Some(tid) => Some(tid),
            None => ctx.with_lua(|_| self.current_or_guest())?,
        }
    }

    /// The current task, or the guest that the current request is; it is made one if there is room. Not in the middle of a native.
    pub fn current_or_guest(self: &Rc<Self>) -> Option<Tid> {
        if let Some(tid) = self.current() {
            return Some(tid);
        }
        let context = self.current.context()?;
        if let Some(slot) = self.guest_of(&context) {
            return Some(self.slab.borrow().tid(slot));
        }
        let is_many = {
            let guests = self.guests.borrow();
            guests.known.len() >= guests.most.max(FEW)
        };
        if is_many {
            self.clear_guests();
        }
        if !self.has_room_for_one() {
            return None;
        }
        let slot = self.slab.borrow_mut().add()?;
        if self.boxes.raw_set(i64::from(slot) + 1, false).is_err() {
            self.slab.borrow_mut().remove(slot);
            return None;
        }
        let mut slab = self.slab.borrow_mut();
        slab.get_mut(slot).state = State::Guest;
        slab.get_mut(slot).name = u32::MAX;
        let tid = slab.tid(slot);
        drop(slab);
        let guest = Guest {
            slot,
            context: Rc::downgrade(&context),
        };
        let former = self
            .guests
            .borrow_mut()
            .known
            .insert(address(&context), guest);
        if let Some(former) = former {
            self.clear_guest(former.slot);
        }
        Some(tid)
    }

    /// Whether there may be another task or guest.
    pub(super) fn has_room_for_one(self: &Rc<Self>) -> bool {
        let has_room = || self.slab.borrow().alive() < self.limits.tasks;
        if !has_room() && self.guests() > 0 {
            self.clear_guests();
        }
        has_room()
    }

    /// The guest that a context is already.
    pub(super) fn guest_of(&self, context: &Rc<dyn Context>) -> Option<u32> {
        let guests = self.guests.borrow();
        let guest = guests.known.get(&address(context))?;
        let is_it = guest.context.strong_count() > 0;
        is_it.then_some(guest.slot)
    }

    fn clear_guests(self: &Rc<Self>) {
        let mut gone = Vec::new();
        {
            let mut guests = self.guests.borrow_mut();
            guests.known.retain(|_, guest| {
                let is_there = guest.context.strong_count() > 0;
                if !is_there {
                    gone.push(guest.slot);
                }
                is_there
            });
            guests.most = guests.known.len() * 2;
        }
        for slot in gone {
            self.clear_guest(slot);
        }
    }

    fn clear_guest(self: &Rc<Self>, slot: u32) {
        let (tid, extra) = {
            let mut slab = self.slab.borrow_mut();
            let tid = slab.tid(slot);
            (tid, slab.get_mut(slot).extra.take())
        };
        let _ = self.boxes.raw_set(i64::from(slot) + 1, false);
        self.slab.borrow_mut().remove(slot);
        if let Some(extra) = extra {
            self.untie(tid, extra.ties, &Ending::normal());
        }
    }

    /// The next event of a guest, if there is one. Who waits is woken by the next message.
    pub fn poll_guest(
        self: &Rc<Self>,
        lua: &Lua,
        tid: Tid,
        what: &Value,
        sender: &Value,
        cx: &mut Polling<'_>,
    ) -> Poll<Result<Value>> {
        let Some(slot) = self.find(tid) else {
            return Poll::Ready(Err(Error::runtime("the mailbox has gone")));
        };
        let taken = lua.with_native(|ctx| {
            let selector = Selector {
                what: ctx.value_of(what).unwrap_or_default(),
                sender: ctx.value_of(sender).unwrap_or_default(),
            };
            Ok(match self.take_for(ctx, slot, selector)? {
                Wait::Event(event) => Some(ctx.to_value(event)),
                _ => None,
            })
        });
        match taken {
            Ok(Some(event)) => Poll::Ready(Ok(event)),
            Ok(None) => {
                let mut slab = self.slab.borrow_mut();
                slab.get_mut(slot).extra().waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}
