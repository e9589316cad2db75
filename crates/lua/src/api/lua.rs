//! [`Lua`] itself: making VMs and values, globals, the registry, limits, the collector.

use super::convert::{FromLua, IntoLua};
use super::error::{Error, Result};
use super::options::{LuaOptions, Profile};
use super::state::{Handle, Lua};
use super::string::LuaString;
use super::table::Table;
use super::value::{Value, val_to_str};
use crate::function::NativeDef;
use crate::heap::Gc;
use crate::table::{KIND_LAYERED, Table as RawTable};
use crate::value::Val;
use crate::vm::Vm;
use std::fmt;

impl Default for Lua {
    fn default() -> Lua {
        Lua::new()
    }
}

impl Lua {
    /// A VM with the full standard library, no limits, and the process's own clock, streams and files.
    pub fn new() -> Lua {
        match Lua::with_options(LuaOptions::default()) {
            Ok(lua) => lua,
            Err(e) => unreachable!("a VM without limits can be made: {e}"),
        }
    }

    /// A VM set up as `options` say. Fails when the memory limit is too small for the libraries.
    pub fn with_options(options: LuaOptions) -> Result<Lua> {
        let lua = Lua::create(&options)?;
        lua.try_enter(|vm| {
            if options.layered_globals {
                make_layered(vm)?;
            }
            if !options.use_environment {
                crate::stdlib::package::ignore_environment(vm)?;
            }
            match options.profile {
                Profile::Full => crate::stdlib::open_all(vm, false),
                Profile::Sandbox => crate::stdlib::open_all(vm, true),
            }?;
            if options.layered_globals {
                show_layers(vm)?;
            }
            vm.heap.settle_strings();
            Ok(())
        })?;
        Ok(lua)
    }

    // ---- making values ----

    /// A string with these bytes.
    pub fn create_string(&self, bytes: impl AsRef<[u8]>) -> Result<LuaString> {
        self.try_enter(|vm| {
            let s = vm.new_str(bytes.as_ref())?;
            Ok(LuaString(self.handle(vm, Val::str(s))))
        })
    }

    pub(crate) fn push_bytes(&self, bytes: &[u8]) -> Result<()> {
        self.try_enter(|vm| {
            let s = vm.new_str(bytes)?;
            Self::push_val(vm, Val::str(s))
        })
    }

    /// An empty table.
    pub fn create_table(&self) -> Result<Table> {
        self.create_table_with_capacity(0, 0)
    }

    /// An empty table with room for so many elements of a sequence and so many other entries.
    pub fn create_table_with_capacity(&self, sequence: usize, entries: usize) -> Result<Table> {
        self.try_enter(|vm| {
            let t = vm.new_table_sized(sequence, entries)?;
            Ok(Table(self.handle(vm, Val::table(t))))
        })
    }

    /// A table with these entries.
    pub fn create_table_from<K: IntoLua, V: IntoLua>(
        &self,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Table> {
        let entries = entries.into_iter();
        let t = self.create_table_with_capacity(0, entries.size_hint().0)?;
        for (k, v) in entries {
            t.raw_set(k, v)?;
        }
        Ok(t)
    }

    /// A table with these elements from 1 on.
    pub fn create_sequence_from<T: IntoLua>(
        &self,
        elements: impl IntoIterator<Item = T>,
    ) -> Result<Table> {
        let elements = elements.into_iter();
        let t = self.create_table_with_capacity(elements.size_hint().0, 0)?;
        for (i, v) in elements.enumerate() {
            t.raw_set(i as i64 + 1, v)?;
        }
        Ok(t)
    }

    /// The version of the language that scripts of this VM are written in.
    pub fn dialect(&self) -> crate::Dialect {
        self.0.dialect
    }

    // ---- conversions ----

    /// A Rust value as a Lua value.
    pub fn pack(&self, value: impl IntoLua) -> Result<Value> {
        value.into_lua(self)
    }

    /// A Lua value as a Rust value.
    pub fn unpack<T: FromLua>(&self, value: Value) -> Result<T> {
        T::from_lua(value, self)
    }

    /// A string, or the string that a number converts to; `None` for anything else.
    pub fn coerce_string(&self, value: Value) -> Result<Option<LuaString>> {
        match value {
            Value::String(s) => Ok(Some(s)),
            v @ (Value::Integer(_) | Value::Number(_)) => {
                let v = self.val_of(&v)?;
                self.try_enter(|vm| {
                    let s = val_to_str(vm, v)?;
                    Ok(s.map(|s| LuaString(self.handle(vm, Val::str(s)))))
                })
            }
            _ => Ok(None),
        }
    }

    /// An integer, or the integer that a value converts to without loss.
    pub fn coerce_integer(&self, value: Value) -> Result<Option<i64>> {
        let v = self.val_of(&value)?;
        Ok(crate::native::to_integer(v))
    }

    /// A float, or the float that a value converts to.
    pub fn coerce_number(&self, value: Value) -> Result<Option<f64>> {
        let v = self.val_of(&value)?;
        Ok(crate::native::to_number(v).map(crate::number::Number::to_f64))
    }

    // ---- globals and registry ----

    /// The globals. With layered globals: the app's, which every coroutine reads and its own shadow.
    pub fn globals(&self) -> Table {
        match self.enter(|vm| {
            let globals = Val::table(vm.globals);
            Table(self.handle(vm, globals))
        }) {
            Ok(t) => t,
            // Only code that runs in the middle of VM code (a `Drop` in a collection) sees this: its use is an error.
            Err(_) => Table(Handle::dead(self)),
        }
    }

    /// The table that loaded code has as `_ENV` and sees as `_G`: the globals, or with layered globals the view of both layers.
    pub fn environment(&self) -> Result<Table> {
        self.enter(|vm| {
            let environment = Val::table(vm.environment);
            Table(self.handle(vm, environment))
        })
    }

    /// Keeps a value in the registry until the key is dropped.
    pub fn create_registry_value(&self, value: impl IntoLua) -> Result<RegistryKey> {
        Ok(RegistryKey(value.into_lua(self)?, self.weak()))
    }

    /// A value in the registry.
    pub fn registry_value<T: FromLua>(&self, key: &RegistryKey) -> Result<T> {
        if !self.owns_registry_value(key) {
            return Err(Error::MismatchedRegistryKey);
        }
        T::from_lua(key.0.clone(), self)
    }

    /// Replaces a value in the registry.
    pub fn replace_registry_value(&self, key: &mut RegistryKey, value: impl IntoLua) -> Result<()> {
        if !self.owns_registry_value(key) {
            return Err(Error::MismatchedRegistryKey);
        }
        key.0 = value.into_lua(self)?;
        Ok(())
    }

    /// Removes a value from the registry.
    pub fn remove_registry_value(&self, key: RegistryKey) -> Result<()> {
        if self.owns_registry_value(&key) {
            Ok(())
        } else {
            Err(Error::MismatchedRegistryKey)
        }
    }

    /// Whether a key is of this VM's registry.
    pub fn owns_registry_value(&self, key: &RegistryKey) -> bool {
        std::ptr::eq(key.1.0.as_ptr(), std::rc::Rc::as_ptr(&self.0))
    }

    /// Keeps a value in the registry under a name.
    pub fn set_named_registry_value(&self, name: &str, value: impl IntoLua) -> Result<()> {
        self.registry()?.raw_set(name, value)
    }

    /// The value in the registry under a name; nil if there is none.
    pub fn named_registry_value<T: FromLua>(&self, name: &str) -> Result<T> {
        self.registry()?.raw_get(name)
    }

    /// Removes the value in the registry under a name.
    pub fn unset_named_registry_value(&self, name: &str) -> Result<()> {
        self.registry()?.raw_set(name, Value::Nil)
    }

    fn registry(&self) -> Result<Table> {
        self.enter(|vm| {
            let registry = Val::table(vm.registry);
            Table(self.handle(vm, registry))
        })
    }

    /// Puts natives written against [`crate::native`] into a table.
    pub fn register_natives(&self, table: &Table, natives: &[&'static NativeDef]) -> Result<()> {
        let t = self.own(&table.0)?;
        self.try_enter(|vm| vm.register(t.raw_gc::<RawTable>(), natives))
    }

    /// Makes a table read-only (see [`Table::freeze`]).
    pub fn freeze(&self, table: &Table) -> Result<()> {
        table.freeze()
    }

    // ---- limits ----

    /// Sets the most bytes the heap may take (0: no limit); returns the former limit. Holes that objects have left in pages in use
    /// count too, beyond an eighth of the limit and 1 MiB.
    pub fn set_memory_limit(&self, bytes: usize) -> Result<usize> {
        self.enter(|vm| {
            let limit = if bytes == 0 { usize::MAX } else { bytes };
            let former = std::mem::replace(&mut vm.heap.limit, limit.max(vm.heap.used));
            vm.heap.update_trigger();
            if former == usize::MAX { 0 } else { former }
        })
    }

    /// Bytes that the heap takes.
    pub fn used_memory(&self) -> usize {
        self.enter(|vm| vm.heap.used).unwrap_or(0)
    }

    /// Sets how many instructions one call from the host may take; when they are used up it ends with
    /// [`Error::Terminated`]. Coroutines that the host resumes with fuel have that as their limit instead.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// lua.set_instruction_limit(Some(100_000));
    /// let stopped = lua.load("while true do pcall(function() while true do end end) end").exec();
    /// assert!(matches!(stopped, Err(LuaError::Terminated(_))));
    /// assert_eq!(lua.load("1 + 1").eval::<i64>()?, 2);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn set_instruction_limit(&self, limit: Option<u64>) {
        self.0.instruction_limit.set(limit);
    }

    /// Sets how many instructions a call from inside a host function may take beyond the slice of fuel it runs in: such a
    /// call cannot be preempted, only stopped.
    pub fn set_nested_allowance(&self, instructions: u64) {
        self.0.nested_allowance.set(instructions);
    }

    /// Sets how many instructions the finalizers may take, all together, that are called when the VM goes. A host that has
    /// stopped a script chooses few: what the script leaves behind should not outlive it by much.
    pub fn set_closing_fuel(&self, instructions: u64) {
        self.0.closing_fuel.set(instructions);
    }

    /// Instructions that scripts of this VM have used, natives' and the collector's work included.
    pub fn fuel_used(&self) -> u64 {
        self.0.fuel_used.get()
    }

    /// Charges fuel to the coroutine that runs, as a library function does for work its input makes large: about one unit
    /// for a simple step or 16 bytes. For host functions, before or after the work; the slice may end when they return.
    pub fn charge_fuel(&self, fuel: u64) {
        let _ = self.enter(|vm| {
            let left = vm.heap.fuel_left().saturating_sub(fuel.min(1 << 60) as i64);
            vm.heap.set_fuel(left);
        });
    }

    // ---- the collector ----

    /// Collects all garbage. Finalizers run at the next opportunity, or now if no script runs.
    pub fn gc_collect(&self) -> Result<()> {
        self.enter(|vm| {
            self.drain_released(vm);
            vm.collect_everything();
            if vm.run_depth == 0 {
                self.run_finalizers(vm);
            }
        })
    }

    /// Does a piece of collection work, larger for more kilobytes; true when a cycle ended with it.
    pub fn gc_step(&self, kilobytes: usize) -> Result<bool> {
        self.enter(|vm| {
            self.drain_released(vm);
            vm.collect_some(kilobytes.max(1).saturating_mul(64))
        })
    }

    /// Stops the collector, except at the memory limit.
    pub fn gc_stop(&self) {
        let _ = self.enter(|vm| vm.heap.stop_collector(true));
    }

    /// Starts the collector again.
    pub fn gc_restart(&self) {
        let _ = self.enter(|vm| vm.heap.stop_collector(false));
    }

    /// Whether the collector runs.
    pub fn gc_is_running(&self) -> bool {
        self.enter(|vm| !vm.heap.gc.stopped).unwrap_or(false)
    }

    /// Puts the collector into the mode that `collectgarbage("generational")` names. That is what scripts are told; the
    /// collector works as in the incremental mode.
    pub fn gc_generational(&self) {
        let _ = self.enter(|vm| vm.heap.gc.generational = true);
    }

    fn run_finalizers(&self, vm: &mut Vm) {
        if !vm.heap.gc.has_finalizers() {
            return;
        }
        // Any call runs what is queued, at its first safe point.
        let top = vm.thread().top;
        if Self::push_val(vm, Val::native(&NOTHING)).is_ok() {
            vm.heap.interrupt();
            let _ = self.call_pushed(vm, 0);
        }
        vm.thread_mut().top = top;
    }

    /// Switches the collector to collecting everything at every allocation: slow, and finds mistakes in native code.
    pub fn set_gc_stress(&self, on: bool) {
        let _ = self.enter(|vm| {
            vm.heap.stress = on;
            if on {
                vm.heap.parts.keep_nothing();
            }
            vm.heap.update_trigger();
        });
    }

    /// Switches the collector to poisoning what it frees and never using it again.
    pub fn set_gc_quarantine(&self, on: bool) {
        let _ = self.enter(|vm| {
            vm.heap.quarantine = on;
            if on {
                vm.heap.parts.keep_nothing();
            }
        });
    }

    /// Refuses the `n`th allocation from now on, as at the memory limit; 0: none. For tests. The result is how many were
    /// still to come before the one that was to be refused.
    pub fn fail_allocation(&self, n: u64) -> u64 {
        self.enter(|vm| {
            let left = std::mem::replace(&mut vm.heap.fail_in, n);
            vm.heap.update_trigger();
            left
        })
        .unwrap_or(0)
    }

    /// Everything that is wrong with the heap; for tests. Takes time proportional to the heap.
    pub fn check_heap(&self) -> Result<Vec<String>> {
        self.enter(|vm| vm.check_heap())
    }

    // ---- warnings ----

    /// Issues a warning as the function `warn` does; `incomplete`: more pieces follow.
    pub fn warning(&self, message: impl AsRef<str>, incomplete: bool) {
        let _ = self.enter(|vm| vm.warn(message.as_ref().as_bytes(), incomplete));
    }

    /// Switches warnings on or off, as `warn "@on"` does.
    pub fn set_warnings(&self, on: bool) {
        let _ = self.enter(|vm| vm.warnings_on = on);
    }
}

static NOTHING: NativeDef = NativeDef::new("?", pause_once, crate::function::Cost::Constant);

/// Comes to a safe point, and returns nothing.
fn pause_once(ctx: &mut crate::native::Ctx<'_>) -> crate::native::NativeResult {
    ctx.pause(|ctx| {
        // Again while there are finalizers to run: each safe point runs one.
        if !ctx.vm.heap.gc.has_finalizers() {
            ctx.ret0()
        } else {
            pause_once(ctx)
        }
    })
}

/// Puts a layered view over the globals: what loaded code has as its environment.
fn make_layered(vm: &mut Vm) -> Result<(), crate::native::Thrown> {
    let mut view: Gc<RawTable> = vm.new_table()?;
    view.header.extra |= KIND_LAYERED;
    view.meta = vm.globals.as_ptr();
    vm.roots.push(Val::table(view));
    vm.environment = view;
    Ok(())
}

/// Scripts see the view wherever the libraries have put the globals.
fn show_layers(vm: &mut Vm) -> Result<(), crate::native::Thrown> {
    let (globals, view) = (vm.globals, Val::table(vm.environment));
    vm.set_field(globals, "_G", view)?;
    let key = vm.new_str(crate::vm::debug::traceback::LOADED)?;
    match vm.registry.get_interned(key).as_table() {
        Some(loaded) => vm.set_field(loaded, "_G", view),
        None => Ok(()),
    }
}

/// A value in the registry; dropping the key removes it.
pub struct RegistryKey(Value, super::state::WeakLua);

impl fmt::Debug for RegistryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryKey({:?})", self.0)
    }
}

impl fmt::Debug for Lua {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lua({:p})", std::rc::Rc::as_ptr(&self.0))
    }
}
