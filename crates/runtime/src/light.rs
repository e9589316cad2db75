//! Light threads: coroutines that run beside the one that spawned them, for the same context and with its globals.
//!
//! ```text
//!   spawn: runs at once, inside the spawner's slice, up to its first wait
//!      |                                        
//!      +--ended--> Ended --wait--> Over     (its outcome is given out once)
//!      +--waits--> Running --ends--> Ended
//!                     +----kill----> Over
//! ```
//!
//! **Invariants.** `alive` is the number of threads that are Running. A thread belongs to one context and does not outlive it:
//! [`end_of_all`] waits for all of them, or kills them. At most `limits.threads` of a context have not been waited for.

use crate::coroutine::{End, Failure, Running, Started};
use crate::vm::{AppVm, Context as Owner};
use rille_lua::{Error, Function, MultiValue, Result, Thread};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use tokio::task::AbortHandle;

/// The light threads of a context.
#[derive(Default)]
pub struct Threads {
    list: RefCell<Vec<Rc<Light>>>,
    alive: Cell<usize>,
    /// Whoever waits for a change: the context's driver.
    driver: RefCell<Option<Waker>>,
}

/// A light thread.
pub struct Light {
    thread: Thread,
    /// The coroutine that spawned it.
    parent: Thread,
    state: RefCell<State>,
    waiter: RefCell<Option<Waker>>,
}

enum State {
    /// `None` inside its first slice, or when it was queued.
    Running(Option<AbortHandle>),
    Ended(Outcome),
    Over,
}

/// How a light thread ended.
pub type Outcome = std::result::Result<MultiValue, Failure>;

impl Light {
    /// The coroutine that spawned it.
    pub fn parent(&self) -> &Thread {
        &self.parent
    }

    /// Its own coroutine.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Whether its outcome has been given out, or it was killed.
    pub fn is_over(&self) -> bool {
        matches!(*self.state.borrow(), State::Over)
    }

    /// Whether it has neither ended nor been killed.
    pub fn is_running(&self) -> bool {
        matches!(*self.state.borrow(), State::Running(_))
    }
}

impl Threads {
    /// Starts a light thread. The error is that of `limits.threads`, or memory.
    pub fn spawn(
        vm: &Rc<AppVm>,
        context: &Rc<dyn Owner>,
        function: Function,
        arguments: MultiValue,
    ) -> Result<Rc<Light>> {
        let parent = vm.lua().current_thread()?;
        let thread = Threads::prepare(vm, &parent, function)?;
        let light = Threads::add(vm, context, parent, thread.clone())?;
        match vm.start_inside(thread, arguments, context.clone(), context.budget()) {
            Started::Ended(end) => context.threads().finish(&light, end),
            Started::Running(running) => watch(context.clone(), &light, running),
        }
        Ok(light)
    }

    /// A coroutine with the globals of `parent`, to be one of its light threads now or later.
    pub fn prepare(vm: &AppVm, parent: &Thread, function: Function) -> Result<Thread> {
        let thread = vm.lua().create_thread(function)?;
        thread.set_globals(parent.own_globals())?;
        Ok(thread)
    }

    /// Starts a prepared light thread from outside of any coroutine. It runs when its turn comes.
    pub fn spawn_later(
        vm: &Rc<AppVm>,
        context: &Rc<dyn Owner>,
        parent: Thread,
        thread: Thread,
    ) -> Result<()> {
        let light = Threads::add(vm, context, parent, thread.clone())?;
        let budget = context.budget();
        let running = vm.start_later(thread, MultiValue::new(), context.clone(), budget);
        watch(context.clone(), &light, running);
        Ok(())
    }

    /// Those that have ended and were not waited for count too.
    fn add(
        vm: &AppVm,
        context: &Rc<dyn Owner>,
        parent: Thread,
        thread: Thread,
    ) -> Result<Rc<Light>> {
        let threads = context.threads();
        if threads.list.borrow().len() as u64 >= vm.app().manifest.limits.threads {
            return Err(Error::runtime("too many light threads"));
        }
        let light = Rc::new(Light {
            thread,
            parent,
            state: RefCell::new(State::Running(None)),
            waiter: RefCell::default(),
        });
        threads.alive.set(threads.alive.get() + 1);
        threads.list.borrow_mut().push(light.clone());
        Ok(light)
    }

    /// The light thread that is this coroutine; `None`: there is none, or it is over.
    pub fn find(&self, thread: &Thread) -> Option<Rc<Light>> {
        self.list
            .borrow()
            .iter()
            .find(|light| light.thread == *thread)
            .cloned()
    }

    /// The index of the first of these that has ended and its outcome, when there is one. That thread is over then.
    pub fn poll_wait(&self, lights: &[Rc<Light>], cx: &mut Context<'_>) -> Poll<(usize, Outcome)> {
        for (at, light) in lights.iter().enumerate() {
            if matches!(*light.state.borrow(), State::Ended(_)) {
                let state = light.state.replace(State::Over);
                self.forget(light);
                if let State::Ended(outcome) = state {
                    return Poll::Ready((at, outcome));
                }
            }
        }
        for light in lights {
            *light.waiter.borrow_mut() = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Ends a thread where it is. Without effect on one that has ended.
    pub fn kill(&self, light: &Rc<Light>) {
        if !light.is_running() {
            return;
        }
        if let State::Running(Some(handle)) = light.state.replace(State::Over) {
            handle.abort();
        }
        self.alive.set(self.alive.get() - 1);
        self.forget(light);
        self.tell(light);
    }

    /// Ends all that are left, and forgets them.
    pub fn kill_all(&self) {
        let lights = std::mem::take(&mut *self.list.borrow_mut());
        for light in &lights {
            self.kill(light);
        }
    }

    /// How many run.
    pub fn alive(&self) -> usize {
        self.alive.get()
    }

    /// Waits until none runs.
    pub async fn all_ended(&self) {
        poll_fn(|cx| self.poll_change(self.alive.get() == 0, cx)).await;
    }

    /// Tells the context's driver to look again.
    pub fn wake_driver(&self) {
        if let Some(waker) = self.driver.borrow_mut().take() {
            waker.wake();
        }
    }

    fn poll_change(&self, ready: bool, cx: &mut Context<'_>) -> Poll<()> {
        if ready {
            return Poll::Ready(());
        }
        *self.driver.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }

    fn forget(&self, light: &Rc<Light>) {
        let mut list = self.list.borrow_mut();
        if let Some(at) = list.iter().position(|other| Rc::ptr_eq(other, light)) {
            list.swap_remove(at);
        }
    }

    fn finish(&self, light: &Rc<Light>, end: End) {
        if !light.is_running() {
            return;
        }
        self.alive.set(self.alive.get() - 1);
        *light.state.borrow_mut() = match end {
            End::Done(values) => State::Ended(Ok(values)),
            End::Failed(failure) => State::Ended(Err(failure)),
            End::Exited => State::Over,
        };
        self.tell(light);
    }

    fn tell(&self, light: &Light) {
        if let Some(waker) = light.waiter.borrow_mut().take() {
            waker.wake();
        }
        self.wake_driver();
    }
}

/// Follows a thread that waits to its end.
fn watch(context: Rc<dyn Owner>, light: &Rc<Light>, running: Running) {
    // It was killed in its first slice: dropping it stops it.
    if !light.is_running() {
        return;
    }
    let followed = light.clone();
    let task = tokio::task::spawn_local(async move {
        let end = running.await;
        context.threads().finish(&followed, end);
    });
    if let State::Running(handle) = &mut *light.state.borrow_mut() {
        *handle = Some(task.abort_handle());
    }
}

/// The end of a context's first coroutine and of all its light threads: if the first fails, or one of them asks for the end of all,
/// the others are killed; else it has ended when all have.
pub async fn end_of_all(context: &Rc<dyn Owner>, started: Started) -> End {
    let threads = context.threads();
    let end = match started {
        Started::Ended(end) => end,
        Started::Running(mut running) => {
            poll_fn(|cx| match Pin::new(&mut running).poll(cx) {
                Poll::Ready(end) => Poll::Ready(end),
                // Dropping it stops it where it waits.
                Poll::Pending => threads
                    .poll_change(context.has_exited(), cx)
                    .map(|()| End::Exited),
            })
            .await
        }
    };
    if matches!(end, End::Done(_)) {
        poll_fn(|cx| threads.poll_change(threads.alive() == 0 || context.has_exited(), cx)).await;
    }
    threads.kill_all();
    match context.has_exited() {
        true => End::Exited,
        false => end,
    }
}
