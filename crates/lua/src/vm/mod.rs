//! The virtual machine: one heap, its roots, and the state of what runs.
//!
//! | file | what |
//! |---|---|
//! | [`mod@run`] | the interpreter |
//! | [`mod@call`] | calls, returns, coroutine switches, errors: everything between two runs of the loop |
//! | [`mod@meta`] | instructions that the loop does not finish itself: metamethods, conversions, concatenation |
//! | [`mod@load`] | compiling and making main functions |
//! | [`mod@hook`] | debug hooks |
//! | [`mod@debug`] | names, lines and levels, for messages and tracebacks |
//!
//! **Invariants**
//! - `current` is the coroutine whose frames run; its `resumer` chain leads to the one the host resumed.
//! - Roots are: `main`, `current` and its resumers, `metatables`, `thrown`, `roots`, `scratch`, `handles`, and the
//!   queue of objects to finalize.
//! - A `Vm` does not move once made (it is boxed): buffers point at its byte count.

pub(crate) mod call;
mod coroutine;
pub(crate) mod debug;
mod dialects;
pub(crate) mod entry;
pub(crate) mod hook;
pub(crate) mod load;
pub(crate) mod meta;
pub(crate) mod run;
mod safe_point;
mod switch;
mod unwind;
mod vararg;

use crate::api::HostFuture;
use crate::dialect::Dialect;
use crate::function::{NativeDef, Proto, UpBox};
use crate::heap::collect::HAS_OPEN;
use crate::heap::{Gc, Heap};
use crate::host::Host;
use crate::native::{Cont, Thrown};
use crate::number;
use crate::string::Str;
use crate::table::{KIND_LAYERED, Table};
use crate::thread::{
    ERROR_SLOTS, Frame, MAX_FRAMES, MAX_STACK, Thread, frame_bytes_of, stack_bytes_of,
};
use crate::value::{Type, Val, tag};
use std::any::Any;
use std::ptr::null_mut;
use std::rc::Rc;

/// Metamethod events; the first eight have a bit in a metatable's cache of absent ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Event {
    Index,
    NewIndex,
    Eq,
    Len,
    Call,
    Gc,
    Mode,
    Close,
    Add,
    Sub,
    Mul,
    Mod,
    Pow,
    Div,
    IDiv,
    BAnd,
    BOr,
    BXor,
    Shl,
    Shr,
    Unm,
    BNot,
    Lt,
    Le,
    Concat,
    Name,
    ToString,
    Metatable,
    Pairs,
}

pub(crate) const EVENT_NAMES: [&str; 29] = [
    "__index",
    "__newindex",
    "__eq",
    "__len",
    "__call",
    "__gc",
    "__mode",
    "__close",
    "__add",
    "__sub",
    "__mul",
    "__mod",
    "__pow",
    "__div",
    "__idiv",
    "__band",
    "__bor",
    "__bxor",
    "__shl",
    "__shr",
    "__unm",
    "__bnot",
    "__lt",
    "__le",
    "__concat",
    "__name",
    "__tostring",
    "__metatable",
    "__pairs",
];
const CACHED_EVENTS: u8 = 8;
/// Bytes of a `__name` that are shown: messages are made without being charged by the byte.
const MAX_TYPE_NAME: usize = 256;

/// The virtual machine.
pub struct Vm {
    pub(crate) heap: Heap,
    pub(crate) main: *mut Thread,
    pub(crate) current: *mut Thread,
    /// The coroutine that the innermost run of the loop was entered for.
    pub(crate) base_thread: *mut Thread,
    /// The innermost run is a host callback's call on a coroutine that was running already: that cannot yield.
    pub(crate) base_is_call: bool,
    /// How many runs of the loop are active (host callbacks that call Lua nest them).
    pub(crate) run_depth: u32,
    pub(crate) metatables: [*mut Table; Type::COUNT],
    /// The error being thrown.
    pub(crate) thrown: Val,
    /// Where it was raised, once it has reached the host (or come from it).
    pub(crate) error_traceback: Option<Box<str>>,
    /// Objects that live as long as the VM: event names, fixed strings, registry, globals.
    pub(crate) roots: Vec<Val>,
    /// Values that internal code protects for a moment.
    pub(crate) scratch: Vec<Val>,
    /// Values the host holds on to, by slot; free slots are linked through `free_handle`.
    pub(crate) handles: Vec<Val>,
    pub(crate) free_handles: Vec<u32>,
    pub(crate) registry: Gc<Table>,
    pub(crate) globals: Gc<Table>,
    /// What loaded code has as `_ENV`: the globals, or a layered view of them.
    pub(crate) environment: Gc<Table>,
    pub(crate) event_names: [Gc<Str>; EVENT_NAMES.len()],
    pub(crate) memory_message: Gc<Str>,
    /// The names of the basic types, by `Type`.
    pub(crate) type_names: [Gc<Str>; Type::COUNT],
    /// What the action that a native just returned is to continue with.
    pub(crate) next_cont: Cont,
    pub(crate) next_flags: u16,
    pub(crate) next_future: Option<HostFuture>,
    /// The argument count that the frame of the native that ran last is to keep.
    pub(crate) native_nargs: u32,
    /// Stack index of the native function that runs (or threw last); `NO_NATIVE` while Lua code does.
    pub(crate) native: u32,
    /// Links of an `__index` chain that a handler has followed so far.
    pub(crate) links: u32,
    pub(crate) in_finalizer: bool,
    /// The reference's refusals (see `vm.md`): for its own test suite.
    pub(crate) strict: bool,
    /// The version of the language (see `dialect`).
    pub(crate) dialect: Dialect,
    /// The place of the last function that was reached through `__call` metamethods, and how many (5.5).
    pub(crate) last_call_chain: (u32, u8),
    /// The dialect has no integers: nothing that a script can see has the integer tag.
    pub(crate) floats: bool,
    /// Opened with the sandbox's libraries: whatever the host allows, its scripts are not trusted.
    pub(crate) sandbox: bool,
    pub(crate) host: Rc<dyn Host>,
    pub(crate) warnings_on: bool,
    pub(crate) warning_continues: bool,
    /// State of `math.random`.
    pub(crate) random_state: [u64; 4],
    /// Why the interpreter left (see `run`).
    pub(crate) exit: Result<call::Next, Thrown>,
    /// The handlers are those of a coroutine with a hook.
    hooked: bool,
    /// The interpreter's code for each opcode.
    handlers: run::Handlers,
    #[cfg(not(threaded))]
    registers: Option<run::Registers>,
    /// A weak link to the public handle of this VM, for host functions (`api`).
    pub(crate) api_link: Option<Box<dyn Any>>,
    /// What that points to, as a name for the VM.
    pub(crate) api_address: usize,
}

/// `Vm::native` while no native runs.
pub(crate) const NO_NATIVE: u32 = u32::MAX;

impl Vm {
    /// A VM without any library.
    pub(crate) fn new(
        host: Rc<dyn Host>,
        limit: usize,
        strict: bool,
        dialect: Dialect,
    ) -> Result<Box<Vm>, Thrown> {
        let hash_key = host.random_seed();
        let dangling = std::ptr::dangling_mut::<Table>();
        // SAFETY: the dangling pointers are replaced below, before anything dereferences or marks them: the heap cannot
        // collect before its first threshold, and `limit` is checked to allow the few objects made here.
        let (no_table, no_str) =
            unsafe { (Gc::from_ptr(dangling), Gc::from_ptr(dangling as *mut Str)) };
        let mut vm = Box::new(Vm {
            heap: Heap::new(usize::MAX, hash_key),
            main: null_mut(),
            current: null_mut(),
            base_thread: null_mut(),
            base_is_call: false,
            run_depth: 0,
            metatables: [null_mut(); Type::COUNT],
            thrown: Val::NIL,
            error_traceback: None,
            roots: Vec::new(),
            scratch: Vec::new(),
            handles: Vec::new(),
            free_handles: Vec::new(),
            registry: no_table,
            globals: no_table,
            environment: no_table,
            event_names: [no_str; EVENT_NAMES.len()],
            memory_message: no_str,
            type_names: [no_str; Type::COUNT],
            next_cont: crate::native::return_results,
            next_flags: 0,
            next_future: None,
            native_nargs: 0,
            native: NO_NATIVE,
            links: 0,
            in_finalizer: false,
            strict,
            dialect,
            last_call_chain: (NO_NATIVE, 0),
            floats: !dialect.has_integers(),
            sandbox: false,
            host,
            warnings_on: false,
            warning_continues: false,
            random_state: [1, 0, 0xFF, 0], // `math` seeds it: never from the hash key
            exit: Ok(call::Next::Run),
            hooked: false,
            handlers: run::PLAIN,
            #[cfg(not(threaded))]
            registers: None,
            api_link: None,
            api_address: 0,
        });
        for (i, name) in EVENT_NAMES.iter().enumerate() {
            let s = vm.intern(name.as_bytes())?;
            vm.event_names[i] = s;
            vm.roots.push(Val::str(s));
        }
        vm.heap.gc.mode_name = vm.event_name(Event::Mode).as_ptr();
        vm.memory_message = vm.intern(b"not enough memory")?;
        vm.roots.push(Val::str(vm.memory_message));
        for (i, t) in Type::ALL.iter().enumerate() {
            vm.type_names[i] = vm.intern(t.name().as_bytes())?;
            vm.roots.push(Val::str(vm.type_names[i]));
        }
        let mut main = vm.new_thread()?;
        main.state = crate::thread::ThreadState::Active;
        vm.main = main.as_ptr();
        vm.current = main.as_ptr();
        vm.registry = vm.new_table()?;
        vm.roots.push(Val::table(vm.registry));
        vm.globals = vm.new_table()?;
        vm.roots.push(Val::table(vm.globals));
        vm.environment = vm.globals;
        vm.heap.limit = limit.max(vm.heap.used);
        vm.heap.update_trigger();
        Ok(vm)
    }

    /// The running coroutine.
    #[inline(always)]
    pub(crate) fn thread(&self) -> &Thread {
        // SAFETY: `current` is never null and is a root.
        unsafe { &*self.current }
    }
    /// The running coroutine.
    #[inline(always)]
    pub(crate) fn thread_mut(&mut self) -> &mut Thread {
        // SAFETY: as in `thread`.
        unsafe { &mut *self.current }
    }
    pub(crate) fn current_gc(&self) -> Gc<Thread> {
        // SAFETY: as in `thread`.
        unsafe { Gc::from_ptr(self.current) }
    }

    /// Whether scripts may reach the process, load binary chunks and see addresses: the libraries that were opened and the
    /// host must both say so.
    pub(crate) fn full_access(&self) -> bool {
        !self.sandbox && self.host.full_access()
    }

    // ---- errors ----

    /// Throws a value.
    #[cold]
    pub(crate) fn throw_val(&mut self, v: Val) -> Thrown {
        self.thrown = v;
        Thrown::Error
    }
    /// Throws a message made of pieces, which may be long.
    #[cold]
    pub(crate) fn throw_joined(&mut self, pieces: &[&[u8]]) -> Thrown {
        let len = pieces.iter().map(|piece| piece.len()).sum();
        match self.concat_str(len, pieces) {
            Ok(s) => self.throw_val(Val::str(s)),
            Err(e) => e,
        }
    }
    /// Throws a message as it is, without position.
    #[cold]
    pub(crate) fn throw_bytes(&mut self, message: &[u8]) -> Thrown {
        match self.new_str(message) {
            Ok(s) => self.throw_val(Val::str(s)),
            Err(e) => e,
        }
    }
    /// Throws a message, with the position in front if Lua code (not a native) runs.
    #[cold]
    pub(crate) fn throw_str(&mut self, message: &str) -> Thrown {
        let mut text = if self.native == NO_NATIVE {
            self.where_is(0)
        } else {
            Vec::new()
        };
        text.extend_from_slice(message.as_bytes());
        self.throw_bytes(&text)
    }
    /// Throws "not enough memory".
    #[cold]
    pub(crate) fn throw_memory(&mut self) -> Thrown {
        self.thrown = Val::str(self.memory_message);
        // As in the reference, no message handler is called: there is no memory left for it.
        Thrown::Handled
    }

    // ---- metatables ----

    #[inline(always)]
    pub(crate) fn event_name(&self, event: Event) -> Gc<Str> {
        self.event_names[event as usize]
    }

    /// The metatable of a value.
    #[inline]
    pub(crate) fn metatable_of(&self, v: Val) -> Option<Gc<Table>> {
        let p = match v.tag {
            tag::TABLE => {
                let t = v.raw_gc::<Table>();
                if t.header.extra & KIND_LAYERED != 0 {
                    t.layered_base().meta
                } else {
                    t.meta
                }
            }
            tag::USERDATA => v.raw_gc::<crate::userdata::UserDataObject>().meta,
            _ => self.metatables[v.type_of() as usize],
        };
        Gc::from_nullable(p)
    }

    /// A metamethod in a metatable, nil if absent; absence of the first events is remembered.
    #[inline(always)]
    pub(crate) fn meta_field(&self, mut meta: Gc<Table>, event: Event) -> Val {
        let cached = (event as u8) < CACHED_EVENTS;
        if cached && meta.header.flags & (1 << event as u8) != 0 {
            return Val::NIL;
        }
        let v = meta.get_interned(self.event_name(event));
        if cached && v.is_nil() {
            meta.header.flags |= 1 << event as u8;
        }
        v
    }

    /// The metamethod of a value for an event, nil if absent.
    #[inline]
    pub(crate) fn meta_of(&self, v: Val, event: Event) -> Val {
        match self.metatable_of(v) {
            Some(meta) => self.meta_field(meta, event),
            None => Val::NIL,
        }
    }

    /// Gives a table or userdata a metatable (or takes it away) and registers a finalizer if it has one. Both must be
    /// reachable.
    pub(crate) fn set_metatable(&mut self, v: Val, meta: Option<Gc<Table>>) -> Result<(), Thrown> {
        if let Some(meta) = meta
            && !self.meta_field(meta, Event::Gc).is_nil()
        {
            self.reserve_finalizer()?;
        }
        let pointer = meta.map_or(null_mut(), Gc::as_ptr);
        match v.tag {
            tag::TABLE => {
                let t = v.raw_gc::<Table>();
                if t.header.extra & KIND_LAYERED != 0 {
                    return self.set_metatable(Val::table(self.layered_target(t)), meta);
                }
                v.raw_gc::<Table>().meta = pointer
            }
            tag::USERDATA => v.raw_gc::<crate::userdata::UserDataObject>().meta = pointer,
            _ => {
                self.metatables[v.type_of() as usize] = pointer;
                return Ok(());
            }
        }
        if let Some(meta) = meta {
            self.barrier(v.header(), Val::table(meta));
            // In 5.1 only userdata are finalized.
            let finalized = v.tag == tag::USERDATA || self.dialect >= Dialect::Lua52;
            if finalized && !self.meta_field(meta, Event::Gc).is_nil() {
                self.register_finalizer(v);
            }
        }
        Ok(())
    }

    /// Charges for hashing and comparing a key that is a string too long to be interned.
    #[inline]
    pub(crate) fn charge_key(&mut self, key: Val) {
        if let Some(s) = key.as_str()
            && !s.is_interned()
        {
            self.heap.spend((s.len() / 8) as i64);
        }
    }

    /// Charges for comparing two strings that are not the same object: only long ones have to be looked at.
    #[cold]
    #[inline(never)]
    pub(crate) fn charge_equality(&mut self, a: Val, b: Val) {
        if let (Some(a), Some(b)) = (a.as_str(), b.as_str())
            && a.len() == b.len()
        {
            self.heap.spend((a.len() / 16) as i64);
        }
    }

    /// `t[name] = v`; the value must be reachable.
    pub(crate) fn set_field(&mut self, t: Gc<Table>, name: &str, v: Val) -> Result<(), Thrown> {
        let key = self.new_str(name.as_bytes())?;
        self.scratch.push(Val::str(key));
        let done = self.table_set(t, Val::str(key), v);
        self.scratch.pop();
        done
    }

    /// Puts natives into a table, which must be reachable.
    pub(crate) fn register(
        &mut self,
        t: Gc<Table>,
        natives: &[&'static NativeDef],
    ) -> Result<(), Thrown> {
        for def in natives {
            self.set_field(t, def.name, Val::native(def))?;
        }
        Ok(())
    }

    /// The string a number converts to.
    pub(crate) fn number_to_str(&mut self, v: Val) -> Result<Gc<Str>, Thrown> {
        if v.tag == tag::INT {
            let mut digits = [0; 20];
            let n = number::write_int(v.raw_int(), &mut digits);
            return self.intern(&digits[..n]);
        }
        let mut text = Vec::with_capacity(32);
        self.write_number(v, &mut text);
        self.new_str(&text)
    }

    /// Appends what a number converts to: at most 32 bytes.
    pub(crate) fn write_number(&self, v: Val, out: &mut Vec<u8>) {
        match v.as_int() {
            Some(i) => number::format_int(i, out),
            None => number::format_float_in(self.dialect, v.raw_float(), out),
        }
    }

    /// The number that a value is or, being a string that this dialect reads as one, converts to.
    pub(crate) fn number_of(&self, v: Val) -> Option<number::Number> {
        match v.as_str() {
            Some(s) if self.floats => {
                number::parse_in(self.dialect, s.as_bytes()).map(number::Number::Float)
            }
            _ => crate::native::to_number(v),
        }
    }

    /// A value as scripts of this VM may see it: a float for an integer where the dialect has none.
    #[inline(always)]
    pub(crate) fn script_value(&self, v: Val) -> Val {
        if v.tag == tag::INT && self.floats {
            Val::float(v.raw_int() as f64)
        } else {
            v
        }
    }

    /// Makes the last `n` values of the running coroutine's stack such that scripts may see them.
    #[cold]
    #[inline(never)]
    pub(crate) fn make_floats(&mut self, n: u32) {
        let top = self.thread().top as usize;
        for i in top - n as usize..top {
            let v = self.script_value(self.thread().get(i));
            self.thread_mut().set(i, v);
        }
    }

    // ---- stacks ----

    /// Makes sure that the running coroutine's stack has at least `size` slots.
    #[inline(always)]
    pub(crate) fn ensure_stack(&mut self, size: usize) -> Result<(), Thrown> {
        if size > self.thread().stack_size as usize {
            self.grow_stack(size)
        } else {
            Ok(())
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn grow_stack(&mut self, size: usize) -> Result<(), Thrown> {
        let mut t = self.current_gc();
        let old = t.stack_size as usize;
        // Error handling may go a little beyond the limit.
        let limit = if t.handler_depth > 0 {
            MAX_STACK + ERROR_SLOTS
        } else {
            MAX_STACK
        };
        if size > limit {
            if t.handler_depth > 0 && old > MAX_STACK {
                // Not the first overflow: this one happened while the first was being handled.
                return Err(self.throw_bytes(b"error in error handling"));
            }
            return Err(self.throw_str("stack overflow"));
        }
        let new = size.max((old * 2).min(limit));
        self.charge_bytes(new * size_of::<Val>())?;
        // SAFETY: the old block has `old` values and this layout; the new one is filled; open variables are redirected.
        unsafe {
            // Zero is nil: of a large stack, what is not used is not touched.
            let (was, is) = (stack_bytes_of(old), stack_bytes_of(new));
            let block = self.heap.parts.resize(t.stack as *mut u8, was, is) as *mut Val;
            if block.is_null() {
                self.heap.uncharge(new * size_of::<Val>());
                return Err(self.throw_memory());
            }
            t.redirect_boxes(block);
            t.stack = block;
        }
        t.stack_size = new as u32;
        self.heap.uncharge(old * size_of::<Val>());
        Ok(())
    }

    /// Makes room for one more frame.
    #[inline(always)]
    pub(crate) fn ensure_frame(&mut self) -> Result<(), Thrown> {
        let t = self.thread();
        if t.frame_count == t.frame_capacity {
            self.grow_frames()
        } else {
            Ok(())
        }
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn grow_frames(&mut self) -> Result<(), Thrown> {
        let mut t = self.current_gc();
        let old = t.frame_capacity as usize;
        if old >= MAX_FRAMES + t.handler_depth as usize * 64 {
            return Err(self.throw_str("stack overflow"));
        }
        let new = (old * 2)
            .min(MAX_FRAMES)
            .max(old + 64 * (old >= MAX_FRAMES) as usize);
        self.charge_bytes(new * size_of::<Frame>())?;
        // SAFETY: the old block has `old` frames and this layout; the copy stays within both.
        unsafe {
            let (was, is) = (frame_bytes_of(old), frame_bytes_of(new));
            let block = self.heap.parts.resize(t.frames as *mut u8, was, is) as *mut Frame;
            if block.is_null() {
                self.heap.uncharge(new * size_of::<Frame>());
                return Err(self.throw_memory());
            }
            t.frames = block;
        }
        t.frame_capacity = new as u32;
        self.heap.uncharge(old * size_of::<Frame>());
        Ok(())
    }

    // ---- captured variables ----

    /// The open box of a stack slot of the running coroutine, made if there is none.
    pub(crate) fn find_box(&mut self, slot: usize) -> Result<*mut UpBox, Thrown> {
        let mut t = self.current_gc();
        let location = t.slot(slot);
        let (mut prev, mut open) = (null_mut::<UpBox>(), t.open);
        // SAFETY: boxes on the list are alive.
        unsafe {
            while !open.is_null() && (*open).location > location {
                prev = open;
                open = (*open).next_open();
            }
            if !open.is_null() && (*open).location == location {
                return Ok(open);
            }
            if self.heap.gc.open_threads.try_reserve(1).is_err() {
                return Err(self.throw_memory());
            }
            let made = self.new_open_box(location, open)?;
            if prev.is_null() {
                t.open = made;
            } else {
                (*prev).closed.payload = made as u64;
            }
            if t.header.flags & HAS_OPEN == 0 {
                t.header.flags |= HAS_OPEN;
                self.heap.gc.open_threads.push(t.as_ptr());
            }
            self.barrier_open(made);
            Ok(made)
        }
    }

    /// Closes the captured variables at or above a stack slot of the running coroutine.
    #[inline]
    pub(crate) fn close_boxes(&mut self, from: usize) {
        let t = self.current_gc();
        let limit = t.slot(from.min(t.stack_size as usize - 1));
        // SAFETY: boxes on the list are alive.
        if !t.open.is_null() && unsafe { (*t.open).location } >= limit {
            self.close_boxes_from(limit);
        }
    }

    #[inline(never)]
    fn close_boxes_from(&mut self, limit: *mut Val) {
        let mut t = self.current_gc();
        // SAFETY: boxes on the list are alive.
        unsafe {
            while !t.open.is_null() && (*t.open).location >= limit {
                let b = t.open;
                t.open = (*b).next_open();
                (*b).close();
                let v = (*b).closed;
                self.barrier(&raw mut (*b).header, v);
                self.barrier_open(t.open);
            }
        }
    }

    /// The prototype of child `n`, made when first needed.
    #[inline]
    pub(crate) fn child_proto(
        &mut self,
        parent: *mut Proto,
        n: usize,
    ) -> Result<*mut Proto, Thrown> {
        // SAFETY: the parent is reachable through the running closure; `n` is below the number of children.
        unsafe {
            let slot = (*parent).children.add(n);
            if !(*slot).is_null() {
                return Ok(*slot);
            }
            let function = std::sync::Arc::clone(&(&*parent).function.children[n]);
            let private = (*parent).private.clone();
            let made = self.new_proto(&function, private)?;
            *slot = made.as_ptr();
            if self.strict {
                self.share_long_constants(&*parent, made);
            }
            self.barrier(parent as *mut _, Val::object(made.header(), tag::PROTO));
            Ok(made.as_ptr())
        }
    }

    /// How messages name a value's type: `__name` of its metatable, else the basic type.
    pub(crate) fn type_name_for_message(&self, v: Val) -> String {
        // `__name` counts from 5.3 on.
        if self.dialect >= Dialect::Lua53
            && let Some(meta) = self.metatable_of(v)
            && let Some(name) = meta.get_interned(self.event_name(Event::Name)).as_str()
        {
            let shown = &name.as_bytes()[..name.len().min(MAX_TYPE_NAME)];
            return String::from_utf8_lossy(shown).into_owned();
        }
        if v.tag == tag::LIGHT && self.dialect >= Dialect::Lua53 {
            "light userdata".to_owned()
        } else {
            v.type_name().to_owned()
        }
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.heap.free_everything();
    }
}

impl Vm {
    /// Issues a warning piece; `continues`: more pieces follow. Control messages (`@on`, `@off`) switch them.
    pub(crate) fn warn(&mut self, text: &[u8], continues: bool) {
        if !continues && !self.warning_continues && text.first() == Some(&b'@') {
            match text {
                b"@on" => self.warnings_on = true,
                b"@off" => self.warnings_on = false,
                _ => {}
            }
            return;
        }
        if self.warnings_on {
            let mut line = Vec::with_capacity(text.len() + 16);
            if !self.warning_continues {
                line.extend_from_slice(b"Lua warning: ");
            }
            line.extend_from_slice(text);
            if !continues {
                line.push(b'\n');
            }
            let _ = self.host.write_err(&line);
        }
        self.warning_continues = continues;
    }
}

#[cfg(test)]
pub(crate) mod tests;
