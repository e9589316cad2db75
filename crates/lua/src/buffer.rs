//! Bytes being put together by a native, charged to the VM's memory limit as they grow.
//!
//! A short buffer is a vector of bytes, and its end is a string with a copy of them. A long one is put together where the
//! string is going to be: its block has room for a string object's header, so that the end copies nothing. (A copy of tens of
//! megabytes would be a stretch of many milliseconds in which nothing can interrupt the native.)
//!
//! **Invariants**
//! - Memory is charged before it is taken, and what is charged is given back when the buffer is dropped, or passes to
//!   the string.
//! - `charged` is the vector's capacity, and the block's size.
//! - A buffer does not outlive its VM. A native that keeps one across a pause or call keeps it in a userdata.

use crate::heap::{Gc, Heap, block_layout};
use crate::native::{Ctx, Thrown};
use crate::string::{MAX_LEN, STR_DATA, Str};
use std::collections::VecDeque;
use std::ptr::{NonNull, null_mut};

/// From this many bytes on, a buffer is a string to be.
const LONG: usize = 64 * 1024;

/// See the head of this file.
pub struct Buffer {
    /// The bytes of a short buffer; of a long one, room for what `push_with` writes.
    bytes: Vec<u8>,
    /// A long buffer's block; null while it is short.
    block: *mut u8,
    /// Bytes in the block, and how many it has room for.
    len: usize,
    capacity: usize,
    /// Bytes of string arguments of the native that are still to be copied to the end, in this order.
    pending: VecDeque<Pending>,
    /// Bytes charged.
    charged: usize,
    /// The VM's heap, for its counts of charged bytes.
    heap: *mut Heap,
}

/// Bytes copied between two looks at whether to pause.
const PIECE: usize = 1 << 18;

#[derive(Clone, Copy)]
struct Pending {
    argument: usize,
    from: usize,
    to: usize,
}

impl Buffer {
    pub(crate) fn new(heap: *mut Heap) -> Buffer {
        Buffer {
            bytes: Vec::new(),
            block: null_mut(),
            len: 0,
            capacity: 0,
            pending: VecDeque::new(),
            charged: 0,
            heap,
        }
    }
    /// The bytes so far.
    pub fn as_bytes(&self) -> &[u8] {
        debug_assert!(self.pending.is_empty());
        if self.block.is_null() {
            return &self.bytes;
        }
        // SAFETY: the first `len` bytes behind the header's place are initialised.
        unsafe { std::slice::from_raw_parts(self.block.add(STR_DATA), self.len) }
    }
    /// How many bytes so far.
    pub fn len(&self) -> usize {
        if self.block.is_null() {
            self.bytes.len()
        } else {
            self.len + self.pending.iter().map(|p| p.to - p.from).sum::<usize>()
        }
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes room for `n` more bytes, charging the memory first. What is written there is charged when it is written.
    pub fn reserve(&mut self, ctx: &mut Ctx<'_>, n: usize) -> Result<(), Thrown> {
        let needed = self.len().saturating_add(n);
        if needed <= LONG && self.block.is_null() {
            return self.reserve_short(ctx, needed);
        }
        if self.block.is_null() || needed > self.capacity {
            self.reserve_long(ctx, needed)
        } else {
            Ok(())
        }
    }

    fn reserve_short(&mut self, ctx: &mut Ctx<'_>, needed: usize) -> Result<(), Thrown> {
        if needed <= self.charged {
            return Ok(());
        }
        let target = needed.max(self.bytes.capacity() * 2).max(64);
        self.charge(ctx, target - self.charged)?;
        // The system may refuse what the limit allows; the charge goes back when the buffer is dropped.
        let room = self.bytes.try_reserve_exact(target - self.bytes.len());
        room.map_err(|_| ctx.vm.throw_memory())
    }

    #[cold]
    fn reserve_long(&mut self, ctx: &mut Ctx<'_>, needed: usize) -> Result<(), Thrown> {
        if needed > MAX_LEN {
            return Err(ctx.error("resulting string too large"));
        }
        let target = needed.max((self.capacity * 2).min(MAX_LEN));
        let size = STR_DATA + target;
        // The vector's bytes are charged beside the block's until they have moved there.
        let before = self.block_size();
        self.charge(ctx, size - before)?;
        // A block that grows may have to move.
        ctx.charge(self.len / 16);
        let block = match before {
            // SAFETY: the layout is not empty.
            0 => unsafe { std::alloc::alloc(block_layout(size)) },
            // SAFETY: the block was allocated with this layout; the new size is not zero and within bounds.
            _ => unsafe { std::alloc::realloc(self.block, block_layout(before), size) },
        };
        if block.is_null() {
            self.uncharge(size - before);
            return Err(ctx.vm.throw_memory());
        }
        (self.block, self.capacity) = (block, target);
        if before == 0 {
            let bytes = std::mem::take(&mut self.bytes);
            self.append(&bytes);
            let short = self.charged - size;
            self.uncharge(short);
        }
        Ok(())
    }

    fn block_size(&self) -> usize {
        if self.block.is_null() {
            0
        } else {
            STR_DATA + self.capacity
        }
    }

    fn charge(&mut self, ctx: &mut Ctx<'_>, bytes: usize) -> Result<(), Thrown> {
        ctx.vm.charge_bytes(bytes)?;
        ctx.vm.heap.buffers += bytes;
        self.charged += bytes;
        Ok(())
    }

    fn uncharge(&mut self, bytes: usize) {
        self.charged -= bytes;
        // SAFETY: the VM is boxed and outlives its natives' buffers (rule of the type).
        unsafe {
            (*self.heap).used -= bytes;
            (*self.heap).buffers -= bytes;
        }
    }

    /// Appends to the block, which has room.
    fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.capacity - self.len);
        // SAFETY: there is room (checked); the block is this buffer's own, so the source is elsewhere.
        unsafe {
            let to = self.block.add(STR_DATA + self.len);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        self.len += bytes.len();
    }

    /// Appends bytes.
    #[inline]
    pub fn push(&mut self, ctx: &mut Ctx<'_>, bytes: &[u8]) -> Result<(), Thrown> {
        if self.block.is_null() && self.bytes.len() + bytes.len() <= self.charged {
            debug_assert!(self.pending.is_empty());
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        self.push_slow(ctx, bytes)
    }

    #[inline(never)]
    fn push_slow(&mut self, ctx: &mut Ctx<'_>, bytes: &[u8]) -> Result<(), Thrown> {
        self.reserve(ctx, bytes.len())?;
        self.copy_pending(ctx);
        ctx.charge(bytes.len() / 16);
        if self.block.is_null() {
            self.bytes.extend_from_slice(bytes);
        } else {
            self.append(bytes);
        }
        Ok(())
    }

    /// Appends what `write` appends, at most `n` bytes; what is there before is not for `write` to look at.
    pub fn push_with(
        &mut self,
        ctx: &mut Ctx<'_>,
        n: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Thrown> {
        self.reserve(ctx, n)?;
        self.copy_pending(ctx);
        if self.block.is_null() {
            write(&mut self.bytes);
            debug_assert!(self.bytes.len() <= self.charged);
            return Ok(());
        }
        // The vector is room to write in: not charged, as it is no longer than a piece.
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        bytes.try_reserve(n).map_err(|_| ctx.vm.throw_memory())?;
        write(&mut bytes);
        self.append(&bytes);
        self.bytes = bytes;
        Ok(())
    }

    /// Appends bytes `from..to` of the native's argument number `argument`, which is a string and stays where it is until
    /// [`Buffer::settle`] has said `true`. Of many bytes only the first are copied at once.
    pub fn push_argument(
        &mut self,
        ctx: &mut Ctx<'_>,
        argument: usize,
        from: usize,
        to: usize,
    ) -> Result<(), Thrown> {
        debug_assert!(from <= to);
        if to - from <= PIECE && self.pending.is_empty() {
            let bytes = argument_bytes(ctx, argument, from, to);
            return self.push(ctx, bytes);
        }
        self.reserve(ctx, to - from)?;
        self.pending.push_back(Pending { argument, from, to });
        Ok(())
    }

    /// Copies what `push_argument` has left, as long as the slice lasts; `false`: the native is to pause, and to ask again.
    #[inline]
    pub fn settle(&mut self, ctx: &mut Ctx<'_>) -> bool {
        self.pending.is_empty() || self.settle_some(ctx)
    }

    #[cold]
    fn settle_some(&mut self, ctx: &mut Ctx<'_>) -> bool {
        while !self.pending.is_empty() {
            if ctx.should_pause() {
                return false;
            }
            self.copy_piece(ctx);
        }
        true
    }

    /// Copies a piece of what is first in the queue.
    fn copy_piece(&mut self, ctx: &mut Ctx<'_>) {
        let Some(Pending { argument, from, to }) = self.pending.pop_front() else {
            return;
        };
        let end = to.min(from + PIECE);
        let bytes = argument_bytes(ctx, argument, from, end);
        ctx.charge(bytes.len() / 16);
        self.append(bytes);
        if end < to && bytes.len() == end - from {
            self.pending.push_front(Pending {
                argument,
                from: end,
                to,
            });
        }
    }

    /// Copies all that `push_argument` has left: something else comes behind it.
    fn copy_pending(&mut self, ctx: &mut Ctx<'_>) {
        while !self.pending.is_empty() {
            self.copy_piece(ctx);
        }
    }

    /// Makes the string and gives the buffer's memory back.
    pub fn finish(mut self, ctx: &mut Ctx<'_>) -> Result<Gc<Str>, Thrown> {
        self.copy_pending(ctx);
        if self.block.is_null() {
            return ctx.new_str(&self.bytes);
        }
        let size = STR_DATA + self.len;
        let before = self.block_size();
        // SAFETY: the block was allocated with this layout; the new size is smaller and not zero.
        let block = unsafe { std::alloc::realloc(self.block, block_layout(before), size) };
        let Some(block) = NonNull::new(block) else {
            return Err(ctx.vm.throw_memory());
        };
        (self.block, self.capacity) = (block.as_ptr(), self.len);
        self.uncharge(before - size);
        ctx.vm.adopt_long_str(&mut self.block, self.len)?;
        // The object has the block now, and its charge.
        self.charged -= size;
        // SAFETY: as in `uncharge`.
        unsafe { (*self.heap).buffers -= size };
        // SAFETY: `adopt_long_str` has made it a string object.
        Ok(unsafe { Gc::from_ptr(block.as_ptr() as *mut Str) })
    }
}

/// Bytes of a string argument; fewer where it is not what the caller said it was.
fn argument_bytes<'a>(ctx: &Ctx<'a>, argument: usize, from: usize, to: usize) -> &'a [u8] {
    let text = ctx
        .arg(argument)
        .as_str()
        .map_or(&b""[..], |s| s.as_bytes());
    text.get(from..to).unwrap_or_default()
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !self.block.is_null() {
            // SAFETY: allocated by `reserve_long` with this layout.
            unsafe { std::alloc::dealloc(self.block, block_layout(self.block_size())) };
        }
        self.uncharge(self.charged);
    }
}
