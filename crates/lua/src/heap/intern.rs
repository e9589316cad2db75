//! The table of interned strings. It grows a little at every insert: there is no insert that moves all strings.
//!
//! Linear probing over pointers that carry the low 16 bits of the hash in their unused upper bits, so that a probe
//! touches the string only when those match.
//!
//! **Growth.** When an array of `N / 2` slots is 5/8 full, one of `N` takes its place and the old one stays beside it. From then on
//! every insert also visits [`MOVED_PER_INSERT`] old slots and moves what they hold. Look-ups try the new array, then the old one.
//! So an insert costs its own probes, at most [`MOVED_PER_INSERT`] moved strings and their probes, and at the two ends of a growth a
//! request to the system: for an array that it zeroes (untouched pages, when it is large) and to take the old one back.
//!
//! The move ends before the next growth is due: the old `N / 2` slots are visited in `N / 16` inserts, and then at most
//! `5/16 N + 1/16 N = 6/16 N` strings live, while the next growth is due at `10/16 N`. Removals only make it fewer.
//!
//! **Invariants**
//! - A string is in exactly one of the two arrays.
//! - In each, no slot between a string's home and its place is empty, and there are no tombstones: a removal shifts back what
//!   follows. (With tombstones that inserts reuse, runs grow without end in a steady state.)
//! - The old array is visited from an empty slot *downwards*, around its end. So what is visited next is always the last of its
//!   run: nothing behind it needs it, and the visited slots, all empty now, are no gap before any string. Nothing is added to the old array.
//! - The table holds no owner: the sweep takes a dead string out before its memory is reused. A string found here while
//!   the collector sweeps may be dead already: the caller of [`Interner::find`] revives it.

use super::{Gc, prefetch};
use crate::string::Str;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Slots of the first array.
const FIRST_SLOTS: usize = 256;
/// Old slots that an insert visits while there are any. Two would be enough for the arithmetic above; with more of them there are
/// two arrays to look into for a shorter time.
const MOVED_PER_INSERT: usize = 8;
const _: () = assert!(FIRST_SLOTS.is_multiple_of(MOVED_PER_INSERT));

const EMPTY: u64 = 0;
const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;
const STAMP_MASK: usize = 0xFFFF;

fn entry(s: Gc<Str>) -> u64 {
    debug_assert!(s.addr() & !POINTER_MASK == 0);
    s.addr() | ((s.hash as usize & STAMP_MASK) as u64) << POINTER_BITS
}

fn string_of(slot: u64) -> Gc<Str> {
    // SAFETY: slots that are not empty hold pointers to strings that the sweep has not freed.
    unsafe { Gc::from_addr(slot & POINTER_MASK) }
}

/// One array: a power of two of slots.
struct Slots {
    start: NonNull<u64>,
    mask: usize,
}

impl Slots {
    /// So many empty slots; `None` when the system has no memory.
    fn new(len: usize) -> Option<Slots> {
        debug_assert!(len.is_power_of_two());
        let layout = Layout::array::<u64>(len).ok()?;
        // SAFETY: the layout is not empty; zeroes are empty slots.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) } as *mut u64)?;
        Some(Slots {
            start,
            mask: len - 1,
        })
    }

    fn len(&self) -> usize {
        self.mask + 1
    }

    fn bytes(&self) -> usize {
        self.len() * size_of::<u64>()
    }

    #[inline(always)]
    fn get(&self, i: usize) -> u64 {
        debug_assert!(i <= self.mask);
        // SAFETY: callers keep `i` within the mask, and there are `mask + 1` slots.
        unsafe { self.start.add(i).read() }
    }

    #[inline(always)]
    fn set(&mut self, i: usize, slot: u64) {
        debug_assert!(i <= self.mask);
        // SAFETY: as in `get`.
        unsafe { self.start.add(i).write(slot) }
    }

    #[inline(always)]
    fn find(&self, hash: u32, bytes: &[u8]) -> Option<Gc<Str>> {
        let stamp = (hash as usize & STAMP_MASK) as u64;
        let mut i = hash as usize & self.mask;
        loop {
            let slot = self.get(i);
            if slot == EMPTY {
                return None;
            }
            if slot >> POINTER_BITS == stamp {
                let s = string_of(slot);
                if s.hash == hash && s.as_bytes() == bytes {
                    return Some(s);
                }
            }
            i = (i + 1) & self.mask;
        }
    }

    /// Puts an entry into the first empty slot from its home on; there is one.
    #[inline(always)]
    fn place(&mut self, slot: u64, hash: u32) {
        let mut i = hash as usize & self.mask;
        while self.get(i) != EMPTY {
            i = (i + 1) & self.mask;
        }
        self.set(i, slot);
    }

    /// The slot a string would be in if nothing else were; the stamp tells it for all but large tables.
    #[inline(always)]
    fn home(&self, slot: u64) -> usize {
        if self.mask <= STAMP_MASK {
            (slot >> POINTER_BITS) as usize & self.mask
        } else {
            string_of(slot).hash as usize & self.mask
        }
    }

    /// Takes a string out, and shifts back what follows it; false: it is not here.
    fn remove(&mut self, s: Gc<Str>) -> bool {
        let mut hole = s.hash as usize & self.mask;
        loop {
            let slot = self.get(hole);
            if slot & POINTER_MASK == s.addr() {
                break;
            }
            if slot == EMPTY {
                return false;
            }
            hole = (hole + 1) & self.mask;
        }
        let mut i = hole;
        loop {
            i = (i + 1) & self.mask;
            let slot = self.get(i);
            if slot == EMPTY {
                break;
            }
            // What may not stand before its home stays; anything else fills the hole.
            let from_home = i.wrapping_sub(self.home(slot)) & self.mask;
            if from_home >= i.wrapping_sub(hole) & self.mask {
                self.set(hole, slot);
                hole = i;
            }
        }
        self.set(hole, EMPTY);
        true
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let layout = Layout::array::<u64>(self.len()).expect("it was made");
        // SAFETY: allocated by `new` with this layout.
        unsafe { dealloc(self.start.as_ptr() as *mut u8, layout) }
    }
}

/// The array that is being left.
struct Leaving {
    slots: Slots,
    /// The slot to visit next; those above it, around the end and down to where it began, are visited and empty.
    next: usize,
    /// Slots not visited yet.
    left: usize,
}

/// The table.
pub(crate) struct Interner {
    slots: Slots,
    /// Strings, in both arrays.
    live: usize,
    leaving: Option<Leaving>,
}

impl Interner {
    pub(crate) fn new() -> Interner {
        let Some(slots) = Slots::new(FIRST_SLOTS) else {
            handle_alloc_error(Layout::new::<[u64; FIRST_SLOTS]>())
        };
        Interner {
            slots,
            live: 0,
            leaving: None,
        }
    }

    /// Bytes the table itself takes.
    pub(crate) fn bytes(&self) -> usize {
        let leaving = self.leaving.as_ref();
        self.slots.bytes() + leaving.map_or(0, |old| old.slots.bytes())
    }

    /// Strings in the table.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Bytes of the array that the next insert needs, to be charged before [`Self::grow`] (0 when no growth is due).
    #[inline(always)]
    pub(crate) fn growth_due(&self) -> usize {
        if (self.live + 1) * 8 > self.slots.len() * 5 {
            self.slots.bytes() * 2
        } else {
            0
        }
    }

    #[inline(always)]
    pub(crate) fn find(&self, hash: u32, bytes: &[u8]) -> Option<Gc<Str>> {
        let found = self.slots.find(hash, bytes);
        if found.is_none() && self.leaving.is_some() {
            return self.find_leaving(hash, bytes);
        }
        found
    }

    #[inline(never)]
    fn find_leaving(&self, hash: u32, bytes: &[u8]) -> Option<Gc<Str>> {
        self.leaving.as_ref()?.slots.find(hash, bytes)
    }

    /// Adds a string that is not there; the caller has grown the table when that was due. Returns the bytes of an array that
    /// it gave back, for the caller to uncharge.
    #[inline]
    #[must_use]
    pub(crate) fn insert(&mut self, s: Gc<Str>) -> usize {
        debug_assert!(self.live + 1 < self.slots.len());
        self.slots.place(entry(s), s.hash);
        self.live += 1;
        match self.leaving {
            Some(_) => self.move_some(),
            None => 0,
        }
    }

    /// Begins to move to an array of twice the size, charged by the caller; false, with nothing changed, when the system
    /// has no memory.
    #[cold]
    pub(crate) fn grow(&mut self) -> bool {
        debug_assert!(self.leaving.is_none(), "see the arithmetic at the head");
        let Some(slots) = Slots::new(self.slots.len() * 2) else {
            return false;
        };
        let slots = std::mem::replace(&mut self.slots, slots);
        let mut next = slots.mask;
        while slots.get(next) != EMPTY {
            next -= 1;
        }
        let left = slots.len();
        self.leaving = Some(Leaving { slots, next, left });
        true
    }

    /// Moves what the next old slots hold; returns the bytes of the old array when that was the last.
    #[inline(never)]
    fn move_some(&mut self) -> usize {
        let Some(old) = &mut self.leaving else {
            return 0;
        };
        for _ in 0..MOVED_PER_INSERT {
            // The string is looked at for its hash a few inserts later.
            let ahead = old.next.wrapping_sub(2 * MOVED_PER_INSERT) & old.slots.mask;
            prefetch((old.slots.get(ahead) & POINTER_MASK) as *const u8);
            let slot = old.slots.get(old.next);
            if slot != EMPTY {
                old.slots.set(old.next, EMPTY);
                self.slots.place(slot, string_of(slot).hash);
            }
            old.next = old.next.wrapping_sub(1) & old.slots.mask;
        }
        old.left -= MOVED_PER_INSERT;
        if old.left > 0 {
            return 0;
        }
        let bytes = old.slots.bytes();
        self.leaving = None;
        bytes
    }

    /// Moves all that is left, for small tables at the end of a VM's making; returns the bytes of the old array, if there was one.
    pub(crate) fn finish_growth(&mut self) -> usize {
        let mut freed = 0;
        while self.leaving.is_some() {
            freed = self.move_some();
        }
        freed
    }

    pub(crate) fn remove(&mut self, s: Gc<Str>) {
        let mut found = self.slots.remove(s);
        if !found && let Some(old) = &mut self.leaving {
            found = old.slots.remove(s);
        }
        debug_assert!(found, "an interned string is not in the table");
        self.live -= usize::from(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::StdHost;
    use crate::value::Val;
    use crate::vm::Vm;
    use std::rc::Rc;

    fn vm() -> Box<Vm> {
        let host = Rc::new(StdHost::default());
        Vm::new(host, usize::MAX / 2, false, Default::default()).expect("memory")
    }

    /// The strings of one array, each found from its home without passing an empty slot.
    fn strings_of(slots: &Slots) -> Vec<Gc<Str>> {
        let mut all = Vec::new();
        for i in (0..slots.len()).filter(|i| slots.get(*i) != EMPTY) {
            let s = string_of(slots.get(i));
            assert_eq!(slots.find(s.hash, s.as_bytes()), Some(s));
            all.push(s);
        }
        all
    }

    /// Checks every invariant of the head that can be seen from the arrays.
    fn check(table: &Interner) {
        let mut all = strings_of(&table.slots);
        if let Some(old) = &table.leaving {
            let mask = old.slots.mask;
            let visited = old.slots.len() - old.left;
            for n in 1..=visited {
                assert_eq!(old.slots.get((old.next + n) & mask), EMPTY);
            }
            all.extend(strings_of(&old.slots));
        }
        assert_eq!(all.len(), table.live);
        let distinct: std::collections::HashSet<u64> = all.iter().map(|s| s.addr()).collect();
        assert_eq!(distinct.len(), all.len(), "a string in both arrays");
        for s in all {
            assert_eq!(table.find(s.hash, s.as_bytes()), Some(s));
        }
    }

    fn left(table: &Interner) -> usize {
        table.leaving.as_ref().map_or(0, |old| old.left)
    }

    /// Makes a string that is new, and checks what that may do to the table.
    fn add(vm: &mut Vm, name: &str) -> Gc<Str> {
        let (live, due) = (vm.heap.strings.live, vm.heap.strings.growth_due() > 0);
        let before = match due {
            true => {
                assert_eq!(left(&vm.heap.strings), 0, "the last growth goes on");
                vm.heap.strings.slots.len()
            }
            false => left(&vm.heap.strings),
        };
        let s = vm.intern(name.as_bytes()).expect("memory");
        assert_eq!(vm.heap.strings.live, live + 1, "{name} is new");
        let visited = before - left(&vm.heap.strings);
        assert_eq!(visited, before.min(MOVED_PER_INSERT));
        s
    }

    #[test]
    fn no_insert_visits_more_than_a_few_old_slots_and_everything_is_found() {
        let mut vm = vm();
        let mut all = Vec::new();
        let mut growths = 0;
        for n in 0..1 << 18 {
            let due = vm.heap.strings.growth_due() > 0;
            all.push(add(&mut vm, &format!("string {n}")));
            growths += usize::from(due);
            if n % 7 == 0 {
                // One taken out and added again, wherever it is; the addition moves as any does.
                let s = all[n * 31 % all.len()];
                vm.heap.strings.remove(s);
                assert_eq!(vm.heap.strings.find(s.hash, s.as_bytes()), None);
                let freed = vm.heap.strings.insert(s);
                vm.heap.uncharge(freed);
            }
            if n.is_power_of_two() || n % 50_000 == 0 {
                check(&vm.heap.strings);
            }
        }
        assert!(growths > 10);
        check(&vm.heap.strings);
        for (n, s) in all.iter().enumerate() {
            let found = vm.intern(format!("string {n}").as_bytes()).expect("memory");
            assert_eq!(found, *s);
        }
        assert_eq!(vm.heap.strings.slots.len(), 1 << 19);
        // The last growth began at 5/8 of 2^18 strings, and ended long ago.
        assert_eq!(vm.heap.strings.bytes(), (1 << 19) * 8);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    /// Removals at every stage of a growth, of strings in either array, in runs that go around the end too.
    #[test]
    fn strings_come_and_go_while_the_table_grows() {
        for stage in 0..16 {
            let mut vm = vm();
            let mut all = Vec::new();
            while vm.heap.strings.growth_due() == 0 {
                let n = all.len();
                all.push(add(&mut vm, &format!("{stage}.{n}")));
            }
            for n in 0..=stage * 4 {
                all.push(add(&mut vm, &format!("{stage} later {n}")));
            }
            check(&vm.heap.strings);
            for s in &all {
                vm.heap.strings.remove(*s);
                check(&vm.heap.strings);
            }
            for s in &all {
                let freed = vm.heap.strings.insert(*s);
                vm.heap.uncharge(freed);
                check(&vm.heap.strings);
            }
            assert_eq!(left(&vm.heap.strings), 0);
            assert_eq!(vm.check_heap(), Vec::<String>::new());
        }
    }

    #[test]
    fn strings_are_freed_while_the_table_grows() {
        let mut vm = vm();
        let mut made = 0;
        for round in 0..6 {
            while vm.heap.strings.growth_due() == 0 {
                let s = add(&mut vm, &format!("string {made}"));
                made += 1;
                if made % 3 > 0 {
                    vm.scratch.push(Val::str(s));
                }
            }
            for _ in 0..=round * 10 {
                let s = add(&mut vm, &format!("string {made}"));
                made += 1;
                vm.scratch.push(Val::str(s));
            }
            let (live, old) = (vm.heap.strings.live, left(&vm.heap.strings));
            assert!(old > 0);
            vm.collect_everything();
            assert!(vm.heap.strings.live < live);
            assert_eq!(
                left(&vm.heap.strings),
                old,
                "a removal does not end a growth"
            );
            check(&vm.heap.strings);
            assert_eq!(vm.check_heap(), Vec::<String>::new());
        }
        vm.scratch.clear();
        vm.collect_everything();
        check(&vm.heap.strings);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn a_growth_can_be_ended() {
        let mut vm = vm();
        while vm.heap.strings.leaving.is_none() {
            let name = format!("string {}", vm.heap.strings.live);
            add(&mut vm, &name);
        }
        let (used, bytes) = (vm.heap.used, vm.heap.strings.bytes());
        vm.heap.settle_strings();
        let one_array = vm.heap.strings.slots.bytes();
        assert_eq!(vm.heap.strings.bytes(), one_array);
        assert_eq!(used - vm.heap.used, bytes - one_array);
        check(&vm.heap.strings);
        vm.heap.settle_strings();
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn a_growth_that_the_limit_refuses_changes_nothing() {
        let mut vm = vm();
        let mut all = Vec::new();
        while vm.heap.strings.growth_due() == 0 {
            let s = add(&mut vm, &format!("string {}", all.len()));
            vm.scratch.push(Val::str(s));
            all.push(s);
        }
        vm.collect_everything();
        while vm.heap.strings.growth_due() == 0 {
            let s = add(&mut vm, &format!("string {}", all.len()));
            vm.scratch.push(Val::str(s));
            all.push(s);
        }
        let (used, bytes) = (vm.heap.used, vm.heap.strings.bytes());
        vm.heap.limit = used + bytes;
        vm.heap.update_trigger();
        assert!(vm.intern(b"one more").is_err());
        assert_eq!(vm.heap.strings.bytes(), bytes);
        check(&vm.heap.strings);
        for s in &all {
            assert_eq!(vm.heap.strings.find(s.hash, s.as_bytes()), Some(*s));
        }
        vm.heap.limit = usize::MAX / 2;
        vm.heap.update_trigger();
        assert!(vm.intern(b"one more").is_ok());
        check(&vm.heap.strings);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }
}
