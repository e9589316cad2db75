//! The heap: one per VM, non-moving, with every byte charged before it is allocated.
//!
//! **Rules for everybody who touches it**
//! - *Any* allocation (object, table part, stack, charged buffer) may collect: at the memory limit, and always in
//!   stress mode. So a value that must survive an allocation is reachable from a root while it happens: on the
//!   running coroutine's stack below its top, in a table that is, in a handle, or in `Vm::scratch`.
//! - Ordinary collection steps do not happen in allocations but at safe points of the interpreter (back-edges and
//!   function entries), when the bytes allocated since the last step have raised the interrupt.
//! - `used` never exceeds `limit`: a charge that would first collects everything, and then fails with the ordinary
//!   error "not enough memory".
//!
//! Small objects live in pages of one cell size ([`page`]), larger ones in blocks of their own. Table parts and
//! stacks are blocks owned by their object ([`parts`]).

pub(crate) mod check;
pub(crate) mod collect;
pub(crate) mod intern;
pub(crate) mod page;
pub(crate) mod parts;
mod system;

use crate::chunk::{Constant, FunctionCode};
use crate::function::{ConstantSlot, LuaClosure, NativeClosure, NativeDef, Proto, UpBox};
use crate::native::Thrown;
use crate::string::{INTERNED_FLAG, MAX_INTERNED, MAX_LEN, STR_DATA, Str, hash_bytes};
use crate::table::{Table, inline_granules, int_seed, nodes_for};
use crate::thread::{
    FIRST_FRAMES, FIRST_STACK, Frame, Thread, ThreadState, frame_bytes_of, stack_bytes_of,
};
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};
use crate::vm::Vm;
use collect::Collector;
use intern::Interner;
use page::Pages;
use parts::Parts;
use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;
use std::sync::Arc;

/// Tables grow, and the collector works, in pieces so small that small programs see every state in between: where that is tested.
pub(crate) const PIECES: bool = cfg!(any(test, fuzzing, rille_pieces));

/// What every heap object begins with.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Header {
    /// A tag of `value::tag`; 0 marks a free cell.
    pub(crate) kind: u8,
    /// Colour and collector flags (`collect::mark_bits`).
    pub(crate) mark: u8,
    /// Meaning depends on the kind.
    pub(crate) flags: u8,
    /// Meaning depends on the kind.
    pub(crate) extra: u8,
    /// Meaning depends on the kind (length, number of upvalues).
    pub(crate) aux: u32,
}

/// A pointer to a heap object.
///
/// It dereferences like a reference. That is sound under two rules that all code of this crate keeps: the object is
/// reachable from a root for as long as the pointer is used, and no reference obtained through one copy is
/// held across a call that may obtain a mutable one through another.
#[repr(transparent)]
pub struct Gc<T>(NonNull<T>);

impl<T> Gc<T> {
    /// # Safety
    /// `addr` is the address of a live object of type `T`.
    #[inline(always)]
    pub(crate) unsafe fn from_addr(addr: u64) -> Gc<T> {
        // SAFETY: the caller's promise.
        unsafe { Gc(NonNull::new_unchecked(addr as *mut T)) }
    }
    /// # Safety
    /// `p` points to a live object.
    #[inline(always)]
    pub(crate) unsafe fn from_ptr(p: *mut T) -> Gc<T> {
        // SAFETY: the caller's promise.
        unsafe { Gc(NonNull::new_unchecked(p)) }
    }
    /// The object behind a pointer that may be null.
    #[inline(always)]
    pub(crate) fn from_nullable(p: *mut T) -> Option<Gc<T>> {
        NonNull::new(p).map(Gc)
    }
    #[inline(always)]
    pub(crate) fn addr(self) -> u64 {
        self.0.as_ptr() as u64
    }
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }
    #[inline(always)]
    pub(crate) fn header(self) -> *mut Header {
        self.0.as_ptr() as *mut Header
    }
}

impl<T> Clone for Gc<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Gc<T> {}
impl<T> PartialEq for Gc<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Gc<T> {}
impl<T> std::fmt::Debug for Gc<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gc({:p})", self.0)
    }
}
impl<T> Deref for Gc<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the object is alive (rule of the type).
        unsafe { self.0.as_ref() }
    }
}
impl<T> DerefMut for Gc<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the object is alive and no other reference to it is in use (rules of the type).
        unsafe { self.0.as_mut() }
    }
}

/// Asks for memory that is going to be read.
#[inline(always)]
pub(crate) fn prefetch<T>(p: *const T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch of any address does nothing that can be seen.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch(p as *const i8, _MM_HINT_T0);
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = p;
}

/// A pointer, computed to its end.
#[inline(always)]
pub(crate) fn in_register<T>(p: *mut T) -> *mut T {
    #[cfg(not(miri))]
    {
        let mut p = p;
        // SAFETY: there is no instruction in it, so nothing is read or written.
        #[allow(clippy::pointers_in_nomem_asm_block)]
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) p, options(pure, nomem, nostack, preserves_flags));
        }
        p
    }
    #[cfg(miri)]
    p
}

/// The heap of one VM.
pub struct Heap {
    /// Instructions left in this slice (see `Vm::resume`). Negative: at the next safe point the interpreter stops.
    pub(crate) fuel: i64,
    /// Fuel put aside while an interrupt is pending.
    held_fuel: i64,
    interrupted: bool,
    /// Bytes charged.
    pub(crate) used: usize,
    /// Those of them that the buffers of natives hold, wherever these are kept.
    pub(crate) buffers: usize,
    /// Bytes that may be charged.
    pub(crate) limit: usize,
    /// Charges up to here take the fast path: the smaller of the next collection step and the limit.
    trigger: usize,
    /// The VM's random key for hashes.
    pub(crate) hash_key: u64,
    /// What tables keep of it for integer keys.
    int_seed: u32,
    pub(crate) pages: Pages,
    pub(crate) parts: Parts,
    /// Objects too large for a page.
    pub(crate) large: Vec<*mut Header>,
    pub(crate) strings: Interner,
    pub(crate) gc: Collector,
    /// Allocations until the one that is refused; 0: none is (tests).
    pub(crate) fail_in: u64,
    /// Bytes charged for the lists that the collector keeps between cycles.
    pub(crate) lists: usize,
    /// Collect at every allocation.
    pub(crate) stress: bool,
    /// Check the whole heap after every collection step (tests).
    pub(crate) verify: bool,
    /// Freed objects are poisoned and never reused.
    pub(crate) quarantine: bool,
    /// Those outside pages, with their sizes.
    pub(crate) quarantined: Vec<(*mut Header, usize)>,
}

/// Bytes of holes that a VM's pages may have besides what is charged: so many, and a share of its limit.
const MIN_HOLES: usize = 1024 * 1024;
const HOLES_SHARE: usize = 8;

/// Fuel while an interrupt is pending: so low that any check sees it, so far from the end that charges never wrap.
const INTERRUPT_FUEL: i64 = i64::MIN / 2;

impl Heap {
    pub(crate) fn new(limit: usize, hash_key: u64) -> Heap {
        let strings = Interner::new();
        let mut heap = Heap {
            fuel: 0,
            held_fuel: 0,
            interrupted: false,
            used: strings.bytes(),
            buffers: 0,
            limit,
            trigger: 0,
            hash_key,
            int_seed: int_seed(hash_key),
            pages: Pages::new(),
            parts: Parts::new(),
            large: Vec::new(),
            strings,
            gc: Collector::new(),
            fail_in: 0,
            lists: 0,
            stress: false,
            verify: false,
            quarantine: false,
            quarantined: Vec::new(),
        };
        heap.update_trigger();
        heap
    }

    pub(crate) fn update_trigger(&mut self) {
        self.trigger = if self.stress || self.fail_in > 0 {
            0
        } else {
            self.gc.threshold.min(self.bound())
        };
    }

    /// Bytes that may be charged: fewer than the limit by what the holes in pages take from the system beyond a share of it. An
    /// object of a hole's size makes up for it.
    pub(crate) fn bound(&self) -> usize {
        let allowed = MIN_HOLES + self.limit / HOLES_SHARE;
        self.limit
            .saturating_sub(self.pages.holes().saturating_sub(allowed))
    }

    /// Bytes that may be charged still.
    pub(crate) fn room(&self) -> usize {
        self.bound().saturating_sub(self.used)
    }

    /// Makes the interpreter stop at its next safe point for collection work.
    pub(crate) fn interrupt(&mut self) {
        if !self.interrupted {
            self.interrupted = true;
            self.held_fuel = self.fuel;
            self.fuel = INTERRUPT_FUEL;
        }
        self.trigger = if self.stress || self.fail_in > 0 {
            0
        } else {
            self.bound()
        };
    }

    /// Takes the interrupt back: true if one was pending. Fuel is then what is really left.
    pub(crate) fn take_interrupt(&mut self) -> bool {
        if !self.interrupted {
            return false;
        }
        self.interrupted = false;
        self.fuel = self.held_fuel + (self.fuel - INTERRUPT_FUEL);
        true
    }

    /// Charges fuel. Nothing stops here: safe points look at what is left.
    #[inline(always)]
    pub(crate) fn spend(&mut self, fuel: i64) {
        // Without metering no limit on instructions holds; that is for measuring what metering costs.
        if cfg!(not(feature = "unmetered")) {
            self.fuel -= fuel;
        }
    }

    /// The fuel left, whether or not an interrupt is pending.
    pub(crate) fn fuel_left(&self) -> i64 {
        if self.interrupted {
            self.held_fuel + (self.fuel - INTERRUPT_FUEL)
        } else {
            self.fuel
        }
    }

    /// Sets the fuel, whether or not an interrupt is pending.
    pub(crate) fn set_fuel(&mut self, fuel: i64) {
        if self.interrupted {
            self.held_fuel = fuel;
            self.fuel = INTERRUPT_FUEL;
        } else {
            self.fuel = fuel;
        }
    }

    /// Ends a growth of the intern table, so that a VM that is made and then idle holds one array only.
    pub(crate) fn settle_strings(&mut self) {
        let freed = self.strings.finish_growth();
        self.uncharge(freed);
    }

    #[inline(always)]
    pub(crate) fn uncharge(&mut self, bytes: usize) {
        debug_assert!(self.used >= bytes);
        self.used -= bytes;
    }
}

impl Vm {
    /// Charges bytes that are about to be allocated outside the pages. May collect.
    #[inline(always)]
    pub(crate) fn charge_bytes(&mut self, bytes: usize) -> Result<(), Thrown> {
        let used = self.heap.used.wrapping_add(bytes);
        if used > self.heap.trigger || bytes > isize::MAX as usize {
            return self.charge_slow(bytes);
        }
        self.heap.used = used;
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn charge_slow(&mut self, bytes: usize) -> Result<(), Thrown> {
        if self.heap.stress {
            self.collect_everything();
        }
        if self.heap.fail_in > 0 {
            self.heap.fail_in -= 1;
            if self.heap.fail_in == 0 {
                self.heap.update_trigger();
                return Err(self.throw_memory());
            }
        }
        if bytes > self.heap.room() {
            self.collect_everything();
            self.heap.let_all_go();
            if bytes > self.heap.room() {
                return Err(self.throw_memory());
            }
        }
        self.heap.used += bytes;
        if self.heap.used > self.heap.gc.threshold {
            self.heap.interrupt();
        } else {
            // The bound moves.
            self.heap.update_trigger();
        }
        Ok(())
    }

    /// Allocates a charged object with its header set and the rest not initialised.
    #[inline(always)]
    fn allocate(&mut self, kind: u8, size: usize, aux: u32) -> Result<*mut Header, Thrown> {
        self.charge_bytes(size)?;
        let mark = self.heap.gc.white;
        let cell = if size <= page::MAX_CELL {
            self.heap.pages.allocate(size)
        } else {
            self.allocate_large(size)
        };
        if cell.is_null() {
            self.heap.uncharge(size);
            return Err(self.throw_memory());
        }
        // SAFETY: the cell is at least `size` bytes, and sizes are at least a header's.
        unsafe {
            cell.write(Header {
                kind,
                mark,
                flags: 0,
                extra: 0,
                aux,
            })
        };
        Ok(cell)
    }

    #[cold]
    fn allocate_large(&mut self, size: usize) -> *mut Header {
        if self.heap.large.try_reserve(1).is_err() {
            return null_mut();
        }
        // SAFETY: the layout is not empty.
        let block = unsafe { std::alloc::alloc(block_layout(size)) } as *mut Header;
        if !block.is_null() {
            self.heap.large.push(block);
        }
        block
    }

    /// Makes a block of exactly `STR_DATA + len` bytes (more than [`page::MAX_CELL`], charged already) a string object, which
    /// owns it from then on: the pointer is set to null.
    pub(crate) fn adopt_long_str(&mut self, block: &mut *mut u8, len: usize) -> Result<(), Thrown> {
        debug_assert!(STR_DATA + len > page::MAX_CELL && len <= MAX_LEN);
        if self.heap.large.try_reserve(1).is_err() {
            return Err(self.throw_memory());
        }
        let s = std::mem::replace(block, null_mut()) as *mut Str;
        // SAFETY: the block has room for the fixed part, which is written here, and has the bytes.
        unsafe {
            (&raw mut (*s).header).write(Header {
                kind: tag::STR,
                mark: self.heap.gc.white,
                flags: 0,
                extra: 0,
                aux: len as u32,
            });
            (*s).hash = 0;
        }
        self.heap.large.push(s as *mut Header);
        Ok(())
    }

    /// A string with these bytes.
    #[inline]
    pub(crate) fn new_str(&mut self, bytes: &[u8]) -> Result<Gc<Str>, Thrown> {
        if bytes.len() <= MAX_INTERNED {
            self.intern(bytes)
        } else {
            self.new_long_str(bytes)
        }
    }

    /// The interned string with these (at most [`MAX_INTERNED`]) bytes.
    pub(crate) fn intern(&mut self, bytes: &[u8]) -> Result<Gc<Str>, Thrown> {
        let hash = hash_bytes(self.heap.hash_key, bytes);
        if let Some(mut s) = self.heap.strings.find(hash, bytes) {
            self.heap.gc.revive(&mut s.header);
            return Ok(s);
        }
        if self.heap.strings.growth_due() > 0 {
            self.grow_strings()?;
        }
        let cell = self.allocate(tag::STR, STR_DATA + bytes.len(), bytes.len() as u32)?;
        // SAFETY: the cell has room for the fixed part and the bytes.
        let s = unsafe {
            let s = cell as *mut Str;
            (*s).hash = hash;
            (*s).header.flags = INTERNED_FLAG;
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                (s as *mut u8).add(STR_DATA),
                bytes.len(),
            );
            Gc::from_ptr(s)
        };
        let freed = self.heap.strings.insert(s);
        self.heap.uncharge(freed);
        Ok(s)
    }

    /// Makes room in the intern table: charges its next array and begins to move there.
    #[cold]
    fn grow_strings(&mut self) -> Result<(), Thrown> {
        let bytes = self.heap.strings.growth_due();
        // The charge may collect, and then there may be room again; the array is as large as before all the same.
        self.charge_bytes(bytes)?;
        if !self.heap.strings.grow() {
            self.heap.uncharge(bytes);
            return Err(self.throw_memory());
        }
        Ok(())
    }

    #[cold]
    fn new_long_str(&mut self, bytes: &[u8]) -> Result<Gc<Str>, Thrown> {
        // `bytes` may be part of an object of this heap; the caller keeps that reachable.
        if bytes.len() > MAX_LEN {
            return Err(self.throw_str("string length overflow"));
        }
        let s = self.allocate(tag::STR, STR_DATA + bytes.len(), bytes.len() as u32)? as *mut Str;
        // SAFETY: the block has room for the fixed part and the bytes.
        unsafe {
            (*s).hash = 0;
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                (s as *mut u8).add(STR_DATA),
                bytes.len(),
            );
            Ok(Gc::from_ptr(s))
        }
    }

    /// A string of `len` bytes made of the pieces, one after the other.
    pub(crate) fn concat_str(&mut self, len: usize, pieces: &[&[u8]]) -> Result<Gc<Str>, Thrown> {
        if len <= MAX_INTERNED {
            let mut buffer = [0u8; MAX_INTERNED];
            let mut at = 0;
            for piece in pieces {
                buffer[at..at + piece.len()].copy_from_slice(piece);
                at += piece.len();
            }
            return self.intern(&buffer[..at]);
        }
        if len > MAX_LEN {
            return Err(self.throw_str("string length overflow"));
        }
        self.heap.spend((len / 16) as i64);
        let s = self.allocate(tag::STR, STR_DATA + len, len as u32)? as *mut Str;
        // SAFETY: the block has room for `len` bytes, the sum of the pieces' lengths.
        unsafe {
            (*s).hash = 0;
            let mut to = (s as *mut u8).add(STR_DATA);
            for piece in pieces {
                std::ptr::copy_nonoverlapping(piece.as_ptr(), to, piece.len());
                to = to.add(piece.len());
            }
            debug_assert_eq!(to, (s as *mut u8).add(STR_DATA + len));
            Ok(Gc::from_ptr(s))
        }
    }

    /// An empty table.
    #[inline]
    pub(crate) fn new_table(&mut self) -> Result<Gc<Table>, Thrown> {
        self.new_table_within(0, 0)
    }

    /// A table with parts of so many slots and nodes (a power of two, or none), if both fit its cell; else without any.
    #[inline(always)]
    pub(crate) fn new_table_within(
        &mut self,
        array: usize,
        nodes: usize,
    ) -> Result<Gc<Table>, Thrown> {
        let granules = inline_granules(array, nodes);
        let aux = Table::aux_of(self.heap.int_seed, granules);
        let t = self.allocate(tag::TABLE, Table::cell_bytes(aux), aux)? as *mut Table;
        // SAFETY: fresh cell of the table's size.
        unsafe {
            (*t).initialise();
            if granules > 0 {
                Table::initialise_inline(t, array, nodes);
            }
            Ok(Gc::from_ptr(t))
        }
    }

    /// A table with room for these many array and hash entries. The table is rooted in the meantime.
    pub(crate) fn new_table_sized(
        &mut self,
        array: usize,
        hash: usize,
    ) -> Result<Gc<Table>, Thrown> {
        let t = self.new_table_within(array, nodes_for(hash))?;
        if t.slot_count() == 0 && (array > 0 || hash > 0) {
            self.scratch.push(Val::table(t));
            let resized = self.table_resize(t, array, hash);
            self.scratch.pop();
            resized?;
        }
        Ok(t)
    }

    /// A Lua closure with `count` upvalues, all nil. `proto` must be reachable.
    #[inline]
    pub(crate) fn new_lua_closure(
        &mut self,
        proto: *mut Proto,
        count: usize,
    ) -> Result<Gc<LuaClosure>, Thrown> {
        let size = size_of::<LuaClosure>() + count * size_of::<Val>();
        let c = self.allocate(tag::LCLOSURE, size, count as u32)? as *mut LuaClosure;
        // SAFETY: fresh cell with room for the upvalues.
        unsafe {
            (*c).proto = proto;
            for i in 0..count {
                *(*c).upvalue_ptr(i) = Val::NIL;
            }
            Ok(Gc::from_ptr(c))
        }
    }

    /// A native closure over these values, which must be reachable.
    pub(crate) fn new_native_closure(
        &mut self,
        def: &'static NativeDef,
        upvalues: &[Val],
    ) -> Result<Gc<NativeClosure>, Thrown> {
        let size = size_of::<NativeClosure>() + size_of_val(upvalues);
        let c = self.allocate(tag::NCLOSURE, size, upvalues.len() as u32)? as *mut NativeClosure;
        // SAFETY: fresh cell with room for the upvalues.
        unsafe {
            (&raw mut (*c).def).write(def);
            for (i, v) in upvalues.iter().enumerate() {
                *(*c).upvalue_ptr(i) = *v;
            }
            Ok(Gc::from_ptr(c))
        }
    }

    /// A closed captured variable.
    pub(crate) fn new_closed_box(&mut self, v: Val) -> Result<Gc<UpBox>, Thrown> {
        let b = self.allocate(tag::UPBOX, size_of::<UpBox>(), 0)? as *mut UpBox;
        // SAFETY: fresh cell of the size.
        unsafe {
            (*b).closed = v;
            (*b).location = &raw mut (*b).closed;
            Ok(Gc::from_ptr(b))
        }
    }

    /// An open captured variable at `location`; the caller links it.
    pub(crate) fn new_open_box(
        &mut self,
        location: *mut Val,
        next: *mut UpBox,
    ) -> Result<*mut UpBox, Thrown> {
        let b = self.allocate(tag::UPBOX, size_of::<UpBox>(), 0)? as *mut UpBox;
        // SAFETY: fresh cell of the size.
        unsafe {
            (*b).location = location;
            (*b).closed = Val {
                payload: next as u64,
                tag: tag::NIL,
            };
        }
        Ok(b)
    }

    /// A userdata that owns `data`, which is charged with it (not what it owns in turn).
    pub(crate) fn new_userdata(
        &mut self,
        data: Box<dyn Any>,
    ) -> Result<Gc<UserDataObject>, Thrown> {
        let size = size_of::<UserDataObject>();
        // `aux` keeps the data's size, for when it goes.
        let data_bytes = size_of_val(&*data).min(u32::MAX as usize);
        self.charge_bytes(data_bytes)?;
        let u = match self.allocate(tag::USERDATA, size, data_bytes as u32) {
            Ok(u) => u as *mut UserDataObject,
            Err(e) => {
                self.heap.uncharge(data_bytes);
                return Err(e);
            }
        };
        // SAFETY: fresh cell of the size; fields are written without reading what was there.
        unsafe {
            (&raw mut (*u).data).write(Some(data));
            (*u).meta = null_mut();
            (*u).user_value = Val::NIL;
            Ok(Gc::from_ptr(u))
        }
    }

    /// A fresh coroutine without a function: slot 0 is reserved for the host's entry frame.
    pub(crate) fn new_thread(&mut self) -> Result<Gc<Thread>, Thrown> {
        let stack_bytes = stack_bytes_of(FIRST_STACK) + frame_bytes_of(FIRST_FRAMES);
        self.charge_bytes(stack_bytes)?;
        let stack = self.heap.parts.allocate(stack_bytes_of(FIRST_STACK)) as *mut Val;
        let frames = self.heap.parts.allocate(frame_bytes_of(FIRST_FRAMES)) as *mut Frame;
        let cell = if stack.is_null() || frames.is_null() {
            Err(self.throw_memory())
        } else {
            self.allocate(tag::THREAD, size_of::<Thread>(), 0)
        };
        let cell = match cell {
            Ok(cell) => cell as *mut Thread,
            Err(e) => {
                // SAFETY: as above.
                unsafe {
                    if !stack.is_null() {
                        self.heap
                            .parts
                            .release(stack as *mut u8, stack_bytes_of(FIRST_STACK));
                    }
                    if !frames.is_null() {
                        self.heap
                            .parts
                            .release(frames as *mut u8, frame_bytes_of(FIRST_FRAMES));
                    }
                }
                self.heap.uncharge(stack_bytes);
                return Err(e);
            }
        };
        // SAFETY: fresh cell and fresh blocks of the sizes named; every field is written.
        unsafe {
            let header = (*cell).header;
            for i in 0..FIRST_STACK {
                stack.add(i).write(Val::NIL);
            }
            cell.write(Thread {
                header,
                stack,
                frames,
                stack_size: FIRST_STACK as u32,
                top: 1,
                frame_capacity: FIRST_FRAMES as u32,
                frame_count: 0,
                open: null_mut(),
                resumer: null_mut(),
                leaf: null_mut(),
                globals: null_mut(),
                hook: None,
                to_close: Vec::new(),
                state: ThreadState::Fresh,
                status: crate::native::Status::Ok,
                depth: 0,
                paused: None,
                handler_depth: 0,
                shared_writes: false,
            });
            Ok(Gc::from_ptr(cell))
        }
    }

    /// A function's prototype in this VM, with its constants made.
    /// `private`: the charge that the chunk's prototypes share, if the code is this VM's own.
    pub(crate) fn new_proto(
        &mut self,
        function: &Arc<FunctionCode>,
        private: Option<Rc<usize>>,
    ) -> Result<Gc<Proto>, Thrown> {
        let constants = function.constants.len();
        let children = function.children.len();
        let side_bytes = constants * size_of::<Val>() + children * size_of::<*mut Proto>();
        self.charge_bytes(side_bytes)?;
        let sides =
            boxed(ConstantSlot::new(Val::NIL), constants).zip(boxed(null_mut::<Proto>(), children));
        let made = match sides {
            Some(sides) => self
                .allocate(tag::PROTO, size_of::<Proto>(), 0)
                .map(|cell| (sides, cell as *mut Proto)),
            None => Err(self.throw_memory()),
        };
        let ((constants_of, children_of), cell) = match made {
            Ok(made) => made,
            Err(e) => {
                self.heap.uncharge(side_bytes);
                return Err(e);
            }
        };
        // SAFETY: fresh cell; every field is written before anything can fail or collect.
        let p = unsafe {
            let header = (*cell).header;
            cell.write(Proto {
                header,
                code: function.code.as_ptr(),
                constants: Box::into_raw(constants_of) as *mut Val,
                num_params: function.num_params,
                max_stack: function.max_stack,
                frame_size: match function.is_vararg {
                    true => u32::MAX / 2,
                    false => u32::from(function.max_stack) + 2,
                },
                is_vararg: function.is_vararg,
                constant_count: constants as u32,
                children: Box::into_raw(children_of) as *mut *mut Proto,
                function: Arc::clone(function),
                cached: null_mut(),
                private,
            });
            Gc::from_ptr(cell)
        };
        self.scratch.push(Val::object(p.header(), tag::PROTO));
        let made = self.make_constants(p, function);
        self.scratch.pop();
        made.map(|()| p)
    }

    fn make_constants(&mut self, p: Gc<Proto>, function: &FunctionCode) -> Result<(), Thrown> {
        for (i, constant) in function.constants.iter().enumerate() {
            let v = match constant {
                Constant::Nil => Val::NIL,
                Constant::Bool(b) => Val::bool(*b),
                Constant::Int(n) => Val::int(*n),
                Constant::Float(f) => Val::float(*f),
                Constant::Str(bytes) => Val::str(self.new_str(bytes)?),
            };
            // SAFETY: `constants` has one slot for each constant of the function.
            unsafe { *(p.constants as *mut ConstantSlot).add(i) = ConstantSlot::new(v) };
            self.barrier(p.header(), v);
        }
        Ok(())
    }
}

/// So many values of a kind; `None` when the system has no memory.
fn boxed<T: Copy>(v: T, count: usize) -> Option<Box<[T]>> {
    let mut all = Vec::new();
    all.try_reserve_exact(count).ok()?;
    all.resize(count, v);
    Some(all.into_boxed_slice())
}

/// The layout of an object with a block of its own; sizes are bounded.
pub(crate) fn block_layout(size: usize) -> std::alloc::Layout {
    std::alloc::Layout::from_size_align(size, 16).expect("object sizes are bounded")
}

/// The size in bytes that an object was allocated with (without its parts).
pub(crate) fn object_size(h: *mut Header) -> usize {
    // SAFETY: `h` is a live object, whose kind tells its type.
    unsafe {
        let aux = (*h).aux as usize;
        match (*h).kind {
            tag::STR => STR_DATA + aux,
            tag::TABLE => Table::cell_bytes((*h).aux),
            tag::LCLOSURE => size_of::<LuaClosure>() + aux * size_of::<Val>(),
            tag::NCLOSURE => size_of::<NativeClosure>() + aux * size_of::<Val>(),
            tag::USERDATA => size_of::<UserDataObject>(),
            tag::THREAD => size_of::<Thread>(),
            tag::UPBOX => size_of::<UpBox>(),
            tag::PROTO => size_of::<Proto>(),
            kind => unreachable!("no object has kind {kind}"),
        }
    }
}
