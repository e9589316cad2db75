//! The link between Rust values and the VM: who may touch it when, and how values of it are kept alive.
//!
//! **The rule of the gate.** `Inner::vm` holds the pointer through which the VM may be used *right now*, and whoever uses
//! the VM takes it out for as long as VM code runs ([`Lua::enter`]). So at any time there is one `&mut Vm` in use:
//! - at rest the gate holds the owner's pointer;
//! - while VM code runs it is empty, and what reaches for it (a `Drop` that the collector runs, a `Host` method) gets an
//!   error instead of a second reference;
//! - while a host function runs it holds a pointer derived from the reference that the function was called with
//!   ([`Lua::open_gate`]), so that calls from inside it are reborrows of that.
//!
//! **Handles.** A value that Rust holds on to is a [`Handle`]: the value and a slot of `vm.handles`, which roots it. Slots are
//! counted in `Inner`, not in the VM, so that cloning and dropping a handle never touches the VM: both are fine in
//! a `Drop` during a collection. Handles hold the VM weakly: one that outlives it gives errors.

use super::app_data::ByType;
use super::error::{Error, Result, StopReason, TRACEBACK_MARK};
use super::options::{LuaOptions, Profile};
use super::userdata::TypeRegistry;
use super::value::Value;
use crate::dialect::Dialect;
use crate::heap::Gc;
use crate::native::Thrown;
use crate::thread::Thread as RawThread;
use crate::value::{Val, tag};
use crate::vm::call::NATIVE_SLOTS;
use crate::vm::debug::Activation;
use crate::vm::entry::Exit;
use crate::vm::{Event, Vm};
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ptr::null_mut;
use std::rc::{Rc, Weak};

/// A Lua VM.
///
/// Cloning it makes another reference to the same VM, which lives until the last one is dropped. It stays on its thread.
/// A host function gets its `Lua` as an argument; capturing a clone in one would keep the VM alive for ever.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// lua.globals().set("name", "world")?;
/// let greeting: String = lua.load(r#""hello, " .. name"#).eval()?;
/// assert_eq!(greeting, "hello, world");
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone)]
pub struct Lua(pub(crate) Rc<Inner>);

/// A reference to a [`Lua`] that does not keep it alive, for host functions and userdata.
#[derive(Clone)]
pub struct WeakLua(pub(crate) Weak<Inner>);

impl WeakLua {
    /// The VM, if it is still there.
    pub fn upgrade(&self) -> Option<Lua> {
        self.0.upgrade().map(Lua)
    }
}

pub(crate) struct Inner {
    /// The gate (see the head of this file).
    vm: Cell<*mut Vm>,
    /// The VM itself, freed with this.
    owner: *mut Vm,
    /// References by handle slot.
    counts: RefCell<Vec<u32>>,
    /// Slots without references whose value is still in the VM.
    released: RefCell<Vec<u32>>,
    pub(crate) app_data: RefCell<ByType<super::app_data::Shared>>,
    pub(crate) types: TypeRegistry,
    /// The version of the language.
    pub(crate) dialect: Dialect,
    /// Instructions for one direct call; `None`: no limit.
    pub(crate) instruction_limit: Cell<Option<u64>>,
    /// Instructions that a call from inside a host function may use beyond the slice it runs in.
    pub(crate) nested_allowance: Cell<u64>,
    /// Instructions used since the VM was made.
    pub(crate) fuel_used: Cell<u64>,
    /// Why a nested run was stopped, until the outermost one reports it.
    pub(crate) stop_reason: Cell<Option<StopReason>>,
    /// Fuel for the finalizers that are called when the VM goes.
    pub(crate) closing_fuel: Cell<u64>,
    /// Set when the last `Lua` is gone and finalizers have been given their chance.
    closing: Cell<bool>,
}

/// Fuel of a call without limit: more than a century of instructions, far from overflow.
pub(crate) const UNLIMITED_FUEL: i64 = 1 << 60;
/// What nested calls may use beyond their slice, unless the host says otherwise: some tenths of a second.
pub(crate) const DEFAULT_NESTED_ALLOWANCE: u64 = 20_000_000;
/// Instructions for the `__tostring` of an error object that nobody caught: it could go on for ever.
const ERROR_TEXT_FUEL: u64 = 100_000;
/// Fuel for all finalizers that are called when a VM goes, unless the host says otherwise.
const CLOSING_FUEL: u64 = 100_000_000;
/// The same where scripts are not trusted: about a millisecond.
const SANDBOX_CLOSING_FUEL: u64 = 1_000_000;
/// Slot of values that need no root.
const NO_SLOT: u32 = u32::MAX;

impl Drop for Inner {
    fn drop(&mut self) {
        // SAFETY: `owner` came from `Box::into_raw` and is freed here only. No VM code runs: whoever runs some holds an `Rc`.
        drop(unsafe { Box::from_raw(self.owner) });
    }
}

impl Drop for Lua {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 {
            self.close();
        }
    }
}

impl Lua {
    pub(crate) fn create(options: &LuaOptions) -> Result<Lua> {
        let vm = Vm::new(
            Rc::clone(&options.host),
            options.memory_limit,
            options.strict,
            options.dialect,
        )
        .map_err(|_| Error::MemoryError("not enough memory".to_owned()))?;
        let owner = Box::into_raw(vm);
        let lua = Lua(Rc::new(Inner {
            vm: Cell::new(owner),
            owner,
            counts: RefCell::new(Vec::new()),
            released: RefCell::new(Vec::new()),
            app_data: RefCell::default(),
            types: TypeRegistry::default(),
            dialect: options.dialect,
            instruction_limit: Cell::new(None),
            nested_allowance: Cell::new(DEFAULT_NESTED_ALLOWANCE),
            fuel_used: Cell::new(0),
            stop_reason: Cell::new(None),
            closing_fuel: Cell::new(match options.profile {
                Profile::Full => CLOSING_FUEL,
                Profile::Sandbox => SANDBOX_CLOSING_FUEL,
            }),
            closing: Cell::new(false),
        }));
        let link: Box<dyn Any> = Box::new(WeakLua(Rc::downgrade(&lua.0)));
        let address = Rc::as_ptr(&lua.0).addr();
        lua.enter(|vm| {
            vm.api_link = Some(link);
            vm.api_address = address;
        })?;
        Ok(lua)
    }

    // ---- the gate ----

    /// Uses the VM. Fails when VM code runs already and has not handed control to a host function.
    pub(crate) fn enter<R>(&self, f: impl FnOnce(&mut Vm) -> R) -> Result<R> {
        struct Restore<'a>(&'a Cell<*mut Vm>, *mut Vm);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.0.set(self.1);
            }
        }
        let vm = self.0.vm.replace(null_mut());
        if vm.is_null() {
            return Err(Error::runtime(
                "the Lua state is busy: it cannot be used from here",
            ));
        }
        let _restore = Restore(&self.0.vm, vm);
        // SAFETY: the pointer came out of the gate, so no other reference made from it is in use (rule of the gate), and
        // the VM lives as long as `self`.
        Ok(f(unsafe { &mut *vm }))
    }

    /// As `enter`, for work that can throw.
    pub(crate) fn try_enter<R>(&self, f: impl FnOnce(&mut Vm) -> Result<R, Thrown>) -> Result<R> {
        self.enter(|vm| f(vm).map_err(|thrown| self.caught(vm, thrown)))?
    }

    /// Lets a host function that `vm` calls use the VM until the guard is dropped.
    pub(crate) fn open_gate(&self, vm: &mut Vm) -> OpenGate<'_> {
        debug_assert!(
            self.0.vm.get().is_null(),
            "VM code runs, so the gate is empty"
        );
        OpenGate {
            gate: &self.0.vm,
            before: self.0.vm.replace(vm),
        }
    }

    /// The `Lua` of a VM that runs.
    pub(crate) fn of(vm: &Vm) -> Option<Lua> {
        vm.api_link.as_ref()?.downcast_ref::<WeakLua>()?.upgrade()
    }

    /// A reference that does not keep the VM alive.
    pub fn weak(&self) -> WeakLua {
        WeakLua(Rc::downgrade(&self.0))
    }

    /// Calls all finalizers, as lua(1) does at its end, on a bounded amount of fuel.
    fn close(&self) {
        if self.0.closing.replace(true) {
            return;
        }
        let _ = self.enter(|vm| {
            let fuel = self.0.closing_fuel.get().min(UNLIMITED_FUEL as u64);
            vm.heap.set_fuel(fuel as i64);
            vm.finalize_everything();
        });
    }

    // ---- handles ----

    /// Roots a value for as long as the handle, or a clone of it, lives.
    pub(crate) fn handle(&self, vm: &mut Vm, val: Val) -> Handle {
        if !val.is_object() {
            return Handle {
                lua: Rc::downgrade(&self.0),
                slot: NO_SLOT,
                val,
            };
        }
        let slot = match self
            .0
            .released
            .borrow_mut()
            .pop()
            .or_else(|| vm.free_handles.pop())
        {
            Some(slot) => slot,
            None => {
                vm.handles.push(Val::NIL);
                vm.handles.len() as u32 - 1
            }
        };
        vm.handles[slot as usize] = val;
        vm.barrier_handle(val);
        let mut counts = self.0.counts.borrow_mut();
        if counts.len() <= slot as usize {
            counts.resize(slot as usize + 1, 0);
        }
        counts[slot as usize] = 1;
        Handle {
            lua: Rc::downgrade(&self.0),
            slot,
            val,
        }
    }

    /// Forgets the values of handles that are gone.
    #[inline]
    pub(crate) fn drain_released(&self, vm: &mut Vm) {
        if !self.0.released.borrow().is_empty() {
            self.drain_all_released(vm);
        }
    }

    #[inline(never)]
    fn drain_all_released(&self, vm: &mut Vm) {
        let mut released = self.0.released.borrow_mut();
        for slot in released.drain(..) {
            vm.handles[slot as usize] = Val::NIL;
            vm.free_handles.push(slot);
        }
    }

    // ---- the stack of the running coroutine ----

    /// Pushes a value, which must be rooted: as scripts of this VM may see it.
    pub(crate) fn push_val(vm: &mut Vm, v: Val) -> Result<(), Thrown> {
        let v = vm.script_value(v);
        let top = vm.thread().top as usize;
        if top + NATIVE_SLOTS > vm.thread().stack_size as usize {
            vm.scratch.push(v);
            let room = vm.ensure_stack(top + NATIVE_SLOTS);
            vm.scratch.pop();
            room?;
        }
        let t = vm.thread_mut();
        t.set(top, v);
        t.top = top as u32 + 1;
        Ok(())
    }

    /// Pushes a value that may be another VM's (an error) or an error object (made here).
    pub(crate) fn push_value(&self, value: &Value) -> Result<()> {
        match value {
            Value::Error(e) => self.enter(|vm| {
                let v = self.error_val(vm, e);
                v.and_then(|v| Self::push_val(vm, v))
                    .map_err(|thrown| self.caught(vm, thrown))
            })?,
            value => {
                let v = self.val_of(value)?;
                self.try_enter(|vm| Self::push_val(vm, v))
            }
        }
    }

    /// The raw value of anything but an error: rooted as long as `value` is.
    pub(crate) fn val_of(&self, value: &Value) -> Result<Val> {
        Ok(match value {
            Value::Nil => Val::NIL,
            Value::Boolean(b) => Val::bool(*b),
            Value::LightUserData(p) => Val::light(p.0 as usize),
            Value::Integer(i) if !self.0.dialect.has_integers() => Val::float(*i as f64),
            Value::Integer(i) => Val::int(*i),
            Value::Number(n) => Val::float(*n),
            Value::String(s) => self.own(&s.0)?,
            Value::Table(t) => self.own(&t.0)?,
            Value::Function(f) => self.own(&f.0)?,
            Value::Thread(t) => self.own(&t.0)?,
            Value::UserData(u) => self.own(&u.0)?,
            Value::Error(_) => return Err(Error::runtime("an error is not a plain value")),
        })
    }

    /// The value of a handle of this VM.
    pub(crate) fn own(&self, handle: &Handle) -> Result<Val> {
        if std::ptr::eq(handle.lua.as_ptr(), Rc::as_ptr(&self.0)) {
            Ok(handle.val)
        } else {
            Err(Error::MismatchedLua)
        }
    }

    /// The public form of a value.
    pub(crate) fn value(&self, vm: &mut Vm, v: Val) -> Value {
        match v.tag {
            tag::NIL => Value::Nil,
            tag::FALSE => Value::Boolean(false),
            tag::TRUE => Value::Boolean(true),
            tag::INT => Value::Integer(v.raw_int()),
            // Where scripts have no integers, the host still gets them: a status or a count is one.
            tag::FLOAT if !self.0.dialect.has_integers() => {
                let f = v.raw_float();
                whole_number(f).map_or(Value::Number(f), Value::Integer)
            }
            tag::FLOAT => Value::Number(v.raw_float()),
            tag::LIGHT => {
                Value::LightUserData(super::value::LightUserData(v.payload as usize as *mut _))
            }
            tag::STR => Value::String(super::string::LuaString(self.handle(vm, v))),
            tag::TABLE => Value::Table(super::table::Table(self.handle(vm, v))),
            tag::THREAD => Value::Thread(super::thread::Thread(self.handle(vm, v))),
            tag::USERDATA => match super::callback::error_of(v) {
                Some(e) => Value::Error(Box::new(e)),
                None => Value::UserData(super::userdata::AnyUserData(self.handle(vm, v))),
            },
            _ => Value::Function(super::function::Function(self.handle(vm, v))),
        }
    }

    /// Runs `f` and sets the running coroutine's stack back to what it was.
    pub(crate) fn balanced<R>(&self, f: impl FnOnce(u32) -> Result<R>) -> Result<R> {
        let top = self.enter(|vm| vm.thread().top)?;
        let result = f(top);
        self.enter(|vm| vm.thread_mut().top = top)?;
        result
    }

    // ---- calls ----

    /// Calls the function below the last `nargs` values of the running coroutine; the results are from the index
    /// returned to the top.
    pub(crate) fn call_pushed(&self, vm: &mut Vm, nargs: u32) -> Result<usize> {
        match self.try_call_pushed(vm, nargs) {
            Ok(from) => Ok(from),
            Err(Uncalled::Thrown(thrown)) => Err(self.caught(vm, thrown)),
            Err(Uncalled::Stopped(reason)) => Err(Error::Terminated(reason)),
        }
    }

    /// As `call_pushed`, leaving an error where it was thrown.
    fn try_call_pushed(&self, vm: &mut Vm, nargs: u32) -> Result<usize, Uncalled> {
        self.drain_released(vm);
        let nested = vm.run_depth > 0;
        let before = vm.heap.fuel_left();
        let fuel = if nested {
            let allowance = self.0.nested_allowance.get().min(UNLIMITED_FUEL as u64) as i64;
            before.max(-allowance) + allowance
        } else {
            self.0
                .instruction_limit
                .get()
                .map_or(UNLIMITED_FUEL, |n| n.min(UNLIMITED_FUEL as u64) as i64)
        };
        let outer_allowance = self.0.nested_allowance.get();
        if !nested && self.0.instruction_limit.get().is_some() {
            // The limit is the whole budget: nothing inside may go beyond it.
            self.0.nested_allowance.set(0);
        }
        vm.heap.set_fuel(fuel);
        let exit = vm.enter_call(nargs);
        let used = fuel - vm.heap.fuel_left();
        self.0.nested_allowance.set(outer_allowance);
        if nested {
            vm.heap.set_fuel(before - used);
        } else {
            self.0
                .fuel_used
                .set(self.0.fuel_used.get().saturating_add(used.max(0) as u64));
        }
        let result = match exit {
            Ok(Exit::Done(from)) => Ok(from),
            Ok(Exit::Failed) => Err(Uncalled::Thrown(Thrown::Error)),
            Ok(_) => {
                let reason = self
                    .0
                    .stop_reason
                    .take()
                    .unwrap_or(StopReason::InstructionLimit);
                if nested {
                    self.0.stop_reason.set(Some(reason));
                }
                Err(Uncalled::Stopped(reason))
            }
            Err(thrown) => Err(Uncalled::Thrown(thrown)),
        };
        if !nested {
            self.0.stop_reason.set(None);
        }
        result
    }

    /// As `try_call_pushed`, on at most `fuel` when it is not inside a run that has its own bound.
    fn try_call_bounded(&self, vm: &mut Vm, nargs: u32, fuel: u64) -> Result<usize, Uncalled> {
        let before = self.0.instruction_limit.get();
        self.0
            .instruction_limit
            .set(Some(before.map_or(fuel, |limit| limit.min(fuel))));
        let result = self.try_call_pushed(vm, nargs);
        self.0.instruction_limit.set(before);
        result
    }

    // ---- errors ----

    /// What was thrown, for the host.
    pub(crate) fn caught(&self, vm: &mut Vm, thrown: Thrown) -> Error {
        if thrown == Thrown::Stopped {
            let reason = self
                .0
                .stop_reason
                .get()
                .unwrap_or(StopReason::InstructionLimit);
            return Error::Terminated(reason);
        }
        let traceback = vm.error_traceback.take().unwrap_or_default();
        let v = std::mem::replace(&mut vm.thrown, Val::NIL);
        self.error_from(vm, v, &traceback)
    }

    /// The error for an error value.
    pub(crate) fn error_from(&self, vm: &mut Vm, v: Val, traceback: &str) -> Error {
        if let Some(s) = v.as_str() {
            if s == vm.memory_message {
                let mut text = "not enough memory".to_owned();
                append_traceback(&mut text, traceback);
                return Error::MemoryError(text);
            }
            let mut text = String::from_utf8_lossy(s.as_bytes()).into_owned();
            append_traceback(&mut text, traceback);
            return Error::RuntimeError(text);
        }
        if let Some(cause) = super::callback::error_of(v) {
            return Error::CallbackError {
                traceback: traceback.to_owned(),
                cause: std::sync::Arc::new(cause),
            };
        }
        if v.is_number() {
            let mut text = Vec::new();
            vm.write_number(v, &mut text);
            let mut text = String::from_utf8_lossy(&text).into_owned();
            append_traceback(&mut text, traceback);
            return Error::RuntimeError(text);
        }
        if !vm.meta_of(v, Event::ToString).is_nil()
            && let Ok(text) = self.convert_error_object(vm, v)
        {
            return Error::RuntimeError(text);
        }
        let mut text = format!("(error object is a {} value)", v.type_name());
        append_traceback(&mut text, traceback);
        Error::RuntimeError(text)
    }

    /// Calls `__tostring` of an error object.
    fn convert_error_object(&self, vm: &mut Vm, v: Val) -> Result<String, ()> {
        let top = vm.thread().top;
        let method = vm.meta_of(v, Event::ToString);
        vm.scratch.push(v);
        let pushed = Self::push_val(vm, method).and_then(|()| Self::push_val(vm, v));
        vm.scratch.pop();
        let text = match pushed {
            Ok(()) => match self.try_call_bounded(vm, 1, ERROR_TEXT_FUEL) {
                Ok(from) if (from as u32) < vm.thread().top => match vm.thread().get(from).as_str()
                {
                    Some(s) => Ok(String::from_utf8_lossy(s.as_bytes()).into_owned()),
                    None => Err(()),
                },
                // An error in there is not looked at: it could go on for ever.
                _ => Err(()),
            },
            Err(_) => Err(()),
        };
        (vm.thrown, vm.error_traceback) = (Val::NIL, None);
        vm.thread_mut().top = top;
        text
    }
}

impl Vm {
    /// Whether a handle is one of this VM's values.
    #[inline]
    pub(crate) fn owns(&self, handle: &Handle) -> bool {
        handle.lua.as_ptr().addr() == self.api_address
    }

    /// The traceback of a coroutine as text.
    pub(crate) fn traceback_text(&mut self, thread: Gc<RawThread>, level: usize) -> String {
        String::from_utf8_lossy(&self.traceback(thread, None, level)).into_owned()
    }

    /// The chunk and line of the innermost Lua function of a coroutine.
    pub(crate) fn innermost_line(&self, thread: Gc<RawThread>) -> Option<(String, u32)> {
        self.activations(&thread)
            .find_map(|a| self.line_of(thread, a))
    }

    /// The chunk and line of the caller of what runs in a coroutine, if that is a Lua function.
    pub(crate) fn caller_line(&self, thread: Gc<RawThread>) -> Option<(String, u32)> {
        let caller = self.activations(&thread).nth(1)?;
        self.line_of(thread, caller)
    }

    fn line_of(&self, thread: Gc<RawThread>, a: Activation) -> Option<(String, u32)> {
        let line = self.current_line(&thread, a)?;
        let closure = thread.get(a.func).as_lua_closure()?;
        let name = crate::compiler::chunk_id(&closure.proto().function.source);
        Some((String::from_utf8_lossy(&name).into_owned(), line))
    }
}

/// Why a call gave no results.
enum Uncalled {
    Thrown(Thrown),
    Stopped(StopReason),
}

fn append_traceback(text: &mut String, traceback: &str) {
    if !traceback.is_empty() {
        text.push_str(&TRACEBACK_MARK[..1]);
        text.push_str(traceback);
    }
}

/// Closes the gate again (see [`Lua::open_gate`]).
pub(crate) struct OpenGate<'a> {
    gate: &'a Cell<*mut Vm>,
    before: *mut Vm,
}

impl Drop for OpenGate<'_> {
    fn drop(&mut self) {
        self.gate.set(self.before);
    }
}

/// A rooted value (see the head of this file).
pub(crate) struct Handle {
    lua: Weak<Inner>,
    slot: u32,
    pub(crate) val: Val,
}

impl Handle {
    /// The VM, if it is still there.
    pub(crate) fn lua(&self) -> Result<Lua> {
        self.lua.upgrade().map(Lua).ok_or(Error::MismatchedLua)
    }
    /// Whether the VM is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.lua.strong_count() > 0
    }
    /// The object, if its VM is still there. The VM must be kept while it is used.
    pub(crate) fn raw<T>(&self) -> Gc<T> {
        self.val.raw_gc()
    }
    /// A handle whose use is an error.
    pub(crate) fn dead(lua: &Lua) -> Handle {
        let _ = lua;
        Handle {
            lua: Weak::new(),
            slot: NO_SLOT,
            val: Val::NIL,
        }
    }
    /// The value's address, as a name for the object.
    pub(crate) fn address(&self) -> usize {
        self.val.payload as usize
    }
}

impl Clone for Handle {
    fn clone(&self) -> Handle {
        if self.slot != NO_SLOT
            && let Some(inner) = self.lua.upgrade()
        {
            inner.counts.borrow_mut()[self.slot as usize] += 1;
        }
        Handle {
            lua: self.lua.clone(),
            slot: self.slot,
            val: self.val,
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.slot == NO_SLOT {
            return;
        }
        // No VM: nothing to give back. (Not through `Lua`: its drop would close the VM, this one just lets go.)
        let Some(inner) = self.lua.upgrade() else {
            return;
        };
        let mut counts = inner.counts.borrow_mut();
        let count = &mut counts[self.slot as usize];
        *count -= 1;
        if *count == 0 {
            inner.released.borrow_mut().push(self.slot);
        }
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Handle) -> bool {
        if !std::ptr::eq(self.lua.as_ptr(), other.lua.as_ptr()) {
            return false;
        }
        // The bytes of strings are looked at only while their VM is there.
        match self.lua.upgrade() {
            Some(_alive) => self.val.raw_eq(other.val),
            None => self.val.tag == other.val.tag && self.val.payload == other.val.payload,
        }
    }
}

/// A float as an integer if it is one exactly, and not minus zero.
pub(crate) fn whole_number(f: f64) -> Option<i64> {
    const EXACT: i64 = 1 << 53;
    let i = f as i64;
    let is_whole = i as f64 == f && (-EXACT..=EXACT).contains(&i);
    (is_whole && (i != 0 || f.is_sign_positive())).then_some(i)
}
