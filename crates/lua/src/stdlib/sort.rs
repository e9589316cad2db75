//! `table.sort`.
//!
//! Three ways, all with explicit state, so that a comparison may call Lua, yield, or be the last of a slice:
//!
//! | what | how |
//! |---|---|
//! | plain table, no comparator, only numbers or only strings | [`Merger`]: runs sorted at once, then merged step by step |
//! | plain table, anything else | [`Quicksort`], in place |
//! | table with metamethods | its elements are copied out, sorted by [`Quicksort`], and copied back |
//!
//! **Invariant:** all elements are, at any time, in Lua tables that argument slots hold; the state has indices only.
//! A comparator that contradicts itself gives an error or some order, never an access out of range.
//!
//! Quicksort with the median of three and scans that stop at the pivot is what the reference does too; scripts notice that
//! by *when* a bad comparator is reported ("invalid order function for sorting"), so it is kept for comparators.

use super::access::{self, Access};
use super::table::{
    check_tablelike, drop_pushed, int_slot, plain, plainly_long, taken_length, with_length,
};
use crate::function::{Cost, NativeDef};
use crate::heap::Gc;
use crate::native::{Action, Ctx, NativeResult, Thrown};
use crate::table::Table;
use crate::value::{Val, tag};
use crate::vm::Event;
use crate::vm::meta::compare_numbers;
use std::cmp::Ordering;

pub(super) static SORT: NativeDef = NativeDef::new("sort", sort, Cost::Steps);

/// The most elements, as in the reference.
const MAX_ELEMENTS: i64 = i32::MAX as i64;
/// Elements sorted at once, in well under a millisecond.
const RUN: i64 = 4096;
/// Text in a run, in bytes; with more, a single comparison may be long, and each is charged by itself.
const MAX_RUN_TEXT: usize = 1 << 20;
/// Elements merged or copied before a look at whether to pause.
const CHUNK: i64 = 2048;

/// Argument slots.
mod slot {
    /// The table to sort.
    pub const TABLE: usize = 0;
    pub const COMPARATOR: usize = 1;
    pub const PIVOT: usize = 2;
    /// The table that is sorted in place (quicksort), or the other half of a merge.
    pub const WORK: usize = 3;
    pub const STATE: usize = 4;
    pub const SIZE: usize = 5;
    /// The next element to copy out or back.
    pub const NEXT: usize = 6;
    pub const COUNT: usize = 7;
}

fn sort(ctx: &mut Ctx<'_>) -> NativeResult {
    match plainly_long(ctx, ctx.arg(0)) {
        Some(mut t) => {
            let size = t.border();
            sort_with(ctx, size)
        }
        None => {
            check_tablelike(ctx, 0, &[Event::Index, Event::NewIndex, Event::Len])?;
            if ctx.nargs() < 2 {
                ctx.resize_args(2)?;
            }
            with_length(ctx, 0, 0, sort_with_length)
        }
    }
}

fn sort_with_length(ctx: &mut Ctx<'_>) -> NativeResult {
    let size = taken_length(ctx)?;
    sort_with(ctx, size)
}

fn sort_with(ctx: &mut Ctx<'_>, size: i64) -> NativeResult {
    if size < 2 {
        return ctx.ret0();
    }
    if size >= MAX_ELEMENTS {
        return Err(ctx.arg_error(0, "array too big"));
    }
    if !ctx.is_none_or_nil(1) {
        ctx.check_function(1)?;
    }
    let t = plain(ctx, ctx.arg(0));
    if let Some(t) = t
        && ctx.is_none_or_nil(1)
        && size <= RUN
        && sort_run(ctx, t, 1, size)?
    {
        return ctx.ret0();
    }
    let comparator = if ctx.is_none_or_nil(1) {
        Val::NIL
    } else {
        ctx.arg(1)
    };
    ctx.resize_args(slot::COUNT)?;
    for i in slot::COMPARATOR..slot::COUNT {
        ctx.set_arg(i, Val::NIL);
    }
    ctx.set_arg(slot::COMPARATOR, comparator);
    ctx.set_arg(slot::SIZE, Val::int(size));
    ctx.set_arg(slot::NEXT, Val::int(1));
    match t {
        None => {
            let work = ctx.new_table(0, 0)?;
            ctx.set_arg(slot::WORK, Val::table(work));
            copy_out(ctx)
        }
        Some(_) if comparator.is_nil() && size > RUN => merge_sort(ctx, size),
        Some(t) => {
            ctx.set_arg(slot::WORK, Val::table(t));
            quicksort(ctx)
        }
    }
}

// ---- numbers or strings in their natural order ----

/// Sorts the elements `first..=last` at once; `false`, with nothing changed, if they are not all numbers or all
/// strings, or not ordered at all (NaN).
fn sort_run(ctx: &mut Ctx<'_>, t: Gc<Table>, first: i64, last: i64) -> Result<bool, Thrown> {
    let count = (last - first + 1) as usize;
    let bytes = count * size_of::<Val>();
    // Numbers compare in line; strings lie anywhere.
    let strings = t.get_int(first).is_str();
    let comparisons = count * (count.ilog2() as usize + 1);
    ctx.charge(if strings {
        comparisons
    } else {
        comparisons / 4
    });
    ctx.vm.charge_bytes(bytes)?;
    let mut elements: Vec<Val> = Vec::new();
    if elements.try_reserve_exact(count).is_err() {
        ctx.vm.heap.uncharge(bytes);
        return Err(ctx.vm.throw_memory());
    }
    elements.extend((first..=last).map(|i| t.get_int(i)));
    let sortable = sort_elements(&mut elements);
    let mut stored = Ok(());
    if sortable {
        for (i, v) in (first..).zip(&elements) {
            // The keys exist, so nothing is allocated, and the values are all in the table or stored in it already...
            // but not necessarily at any moment: no collection may run here, and none does without an allocation.
            stored = ctx.raw_set_int(t, i, *v);
            if stored.is_err() {
                break;
            }
        }
    }
    ctx.vm.heap.uncharge(bytes);
    stored.map(|()| sortable)
}

/// Sorts values of one kind; `false` if they are not.
fn sort_elements(elements: &mut [Val]) -> bool {
    if elements.iter().all(|v| v.tag == tag::INT) {
        elements.sort_unstable_by_key(|v| v.payload as i64);
        return true;
    }
    if elements.iter().all(|v| v.tag == tag::STR) {
        let text = |v: &Val| v.as_str().map_or(&b""[..], |s| s.as_bytes());
        if elements.iter().map(|v| text(v).len()).sum::<usize>() > MAX_RUN_TEXT {
            return false;
        }
        elements.sort_unstable_by(|a, b| text(a).cmp(text(b)));
        return true;
    }
    let ordered = |v: &Val| v.is_number() && !v.as_float().is_some_and(f64::is_nan);
    if elements.iter().all(ordered) {
        elements.sort_unstable_by(|a, b| compare_numbers(*a, *b).unwrap_or(Ordering::Equal));
        return true;
    }
    false
}

/// Sorted runs that are merged two by two, back and forth between the table and a second one.
struct Merger {
    /// Elements sorted into runs so far.
    in_runs: i64,
    /// Length of the runs.
    width: i64,
    /// The runs are in the second table.
    in_work: bool,
    /// The pair of runs being merged starts here; `left` and `right` are its next elements (from 0).
    start: i64,
    left: i64,
    right: i64,
}

fn merge_sort(ctx: &mut Ctx<'_>, size: i64) -> NativeResult {
    let state = Merger {
        in_runs: 0,
        width: RUN,
        in_work: false,
        start: 0,
        left: 0,
        right: RUN,
    };
    // The second table is made with all its slots, so that the merge itself allocates nothing.
    let work = ctx.new_table(size as usize, 0)?;
    ctx.set_arg(slot::WORK, Val::table(work));
    let state = ctx.vm.new_userdata(Box::new(state))?;
    ctx.set_arg(slot::STATE, Val::userdata(state));
    merge_on(ctx)
}

fn merge_on(ctx: &mut Ctx<'_>) -> NativeResult {
    let state = ctx
        .arg(slot::STATE)
        .as_userdata()
        .and_then(|u| ctx.userdata_mut::<Merger>(u));
    let (Some(state), Some(table), Some(work)) = (
        state,
        ctx.arg(slot::TABLE).as_table(),
        ctx.arg(slot::WORK).as_table(),
    ) else {
        return ctx.ret0();
    };
    let size = int_slot(ctx, slot::SIZE);
    while state.in_runs < size {
        if ctx.should_pause() {
            return ctx.pause(merge_on);
        }
        let last = (state.in_runs + RUN).min(size);
        if !sort_run(ctx, table, state.in_runs + 1, last)? {
            // What is sorted so far is still a permutation: begin anew the general way.
            ctx.set_arg(slot::WORK, Val::table(table));
            return quicksort(ctx);
        }
        state.in_runs = last;
    }
    while state.width < size {
        if ctx.should_pause() {
            return ctx.pause(merge_on);
        }
        let (from, to) = if state.in_work {
            (work, table)
        } else {
            (table, work)
        };
        state.merge_some(ctx, from, to, size)?;
    }
    if state.in_work {
        // The result is in the second table: one more pass copies it back.
        ctx.set_arg(slot::NEXT, Val::int(1));
        return copy_back_plainly(ctx);
    }
    ctx.ret0()
}

impl Merger {
    /// Merges a number of elements, and goes on to the next pair of runs or the next pass at the end of one.
    fn merge_some(
        &mut self,
        ctx: &mut Ctx<'_>,
        from: Gc<Table>,
        to: Gc<Table>,
        size: i64,
    ) -> Result<(), Thrown> {
        let middle = (self.start + self.width).min(size);
        let end = (self.start + 2 * self.width).min(size);
        ctx.charge(CHUNK as usize);
        for _ in 0..CHUNK {
            let v = match (self.left < middle, self.right < end) {
                (false, false) => break,
                (true, false) => self.take_left(from),
                (false, true) => self.take_right(from),
                (true, true) => {
                    let (a, b) = (from.get_int(self.left + 1), from.get_int(self.right + 1));
                    match ctx.vm.less_raw(Event::Lt, b, a) {
                        Some(true) => self.take_right(from),
                        Some(false) => self.take_left(from),
                        // Runs of different kinds.
                        None => return Err(ctx.vm.compare_error(b, a)),
                    }
                }
            };
            // As many are written as were taken.
            let at = self.left + (self.right - middle);
            ctx.raw_set_int(to, at, v)?;
        }
        if self.left >= middle && self.right >= end {
            self.start = end;
            if self.start >= size {
                self.start = 0;
                self.width *= 2;
                self.in_work = !self.in_work;
            }
            self.left = self.start;
            self.right = (self.start + self.width).min(size);
        }
        Ok(())
    }

    fn take_left(&mut self, from: Gc<Table>) -> Val {
        self.left += 1;
        from.get_int(self.left)
    }

    fn take_right(&mut self, from: Gc<Table>) -> Val {
        self.right += 1;
        from.get_int(self.right)
    }
}

fn copy_back_plainly(ctx: &mut Ctx<'_>) -> NativeResult {
    let (Some(table), Some(work)) = (
        ctx.arg(slot::TABLE).as_table(),
        ctx.arg(slot::WORK).as_table(),
    ) else {
        return ctx.ret0();
    };
    let size = int_slot(ctx, slot::SIZE);
    let mut next = int_slot(ctx, slot::NEXT);
    while next <= size {
        if ctx.should_pause() {
            ctx.set_arg(slot::NEXT, Val::int(next));
            return ctx.pause(copy_back_plainly);
        }
        let end = (next + CHUNK).min(size + 1);
        ctx.charge(CHUNK as usize / 4);
        for i in next..end {
            ctx.raw_set_int(table, i, work.get_int(i))?;
        }
        next = end;
    }
    ctx.ret0()
}

// ---- tables with metamethods ----

fn copy_out(ctx: &mut Ctx<'_>) -> NativeResult {
    loop {
        let next = int_slot(ctx, slot::NEXT);
        if next > int_slot(ctx, slot::SIZE) {
            return quicksort(ctx);
        }
        if ctx.should_pause() {
            return ctx.pause(copy_out);
        }
        ctx.charge(1);
        let t = ctx.arg(slot::TABLE);
        match access::index(ctx, t, Val::int(next))? {
            Access::Call(nargs) => return ctx.call(nargs, copied_out),
            Access::Now(v) => keep_copied(ctx, v)?,
        }
    }
}

fn copied_out(ctx: &mut Ctx<'_>) -> NativeResult {
    let v = ctx.result(0);
    drop_pushed(ctx);
    keep_copied(ctx, v)?;
    copy_out(ctx)
}

fn keep_copied(ctx: &mut Ctx<'_>, v: Val) -> Result<(), Thrown> {
    let next = int_slot(ctx, slot::NEXT);
    if let Some(work) = ctx.arg(slot::WORK).as_table() {
        ctx.push(v);
        ctx.raw_set_int(work, next, v)?;
        ctx.pop();
    }
    ctx.set_arg(slot::NEXT, Val::int(next + 1));
    Ok(())
}

fn copy_back(ctx: &mut Ctx<'_>) -> NativeResult {
    loop {
        let next = int_slot(ctx, slot::NEXT);
        if next > int_slot(ctx, slot::SIZE) {
            return ctx.ret0();
        }
        if ctx.should_pause() {
            return ctx.pause(copy_back);
        }
        ctx.charge(1);
        let v = ctx
            .arg(slot::WORK)
            .as_table()
            .map_or(Val::NIL, |work| work.get_int(next));
        let t = ctx.arg(slot::TABLE);
        ctx.set_arg(slot::NEXT, Val::int(next + 1));
        if let Access::Call(nargs) = access::assign(ctx, t, Val::int(next), v)? {
            return ctx.call(nargs, copied_back);
        }
    }
}

fn copied_back(ctx: &mut Ctx<'_>) -> NativeResult {
    drop_pushed(ctx);
    copy_back(ctx)
}

// ---- quicksort ----

/// Which comparison is next.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// None: take the next range.
    Next,
    /// Last before first.
    Ends,
    /// Middle before first.
    Low,
    /// Last before middle.
    High,
    /// `up` before the pivot: passes over what belongs left.
    Up,
    /// The pivot before `down`: passes over what belongs right.
    Down,
}

struct Quicksort {
    /// Ranges still to be sorted besides the one at hand, all of two elements or more. The smaller part of each partition is sorted
    /// first, so there are at most 32.
    ranges: Vec<(i64, i64)>,
    first: i64,
    last: i64,
    middle: i64,
    up: i64,
    down: i64,
    phase: Phase,
}

fn quicksort(ctx: &mut Ctx<'_>) -> NativeResult {
    let size = int_slot(ctx, slot::SIZE);
    let state = Quicksort {
        ranges: Vec::new(),
        first: 1,
        last: size,
        middle: 0,
        up: 0,
        down: 0,
        phase: Phase::Ends,
    };
    let state = ctx.vm.new_userdata(Box::new(state))?;
    ctx.set_arg(slot::STATE, Val::userdata(state));
    quicksort_on(ctx)
}

fn quicksort_state<'a>(ctx: &mut Ctx<'a>) -> Option<(&'a mut Quicksort, Gc<Table>)> {
    let state = ctx.arg(slot::STATE).as_userdata()?;
    Some((
        ctx.userdata_mut::<Quicksort>(state)?,
        ctx.arg(slot::WORK).as_table()?,
    ))
}

fn quicksort_on(ctx: &mut Ctx<'_>) -> NativeResult {
    match quicksort_state(ctx) {
        Some((state, work)) => quicksort_from(ctx, state, work, None),
        None => ctx.ret0(),
    }
}

/// Goes on, with the answer to the comparison that was last if there is one.
fn quicksort_from(
    ctx: &mut Ctx<'_>,
    state: &mut Quicksort,
    work: Gc<Table>,
    answer: Option<bool>,
) -> NativeResult {
    match state.advance(ctx, work, answer)? {
        Some(action) => Ok(action),
        None if ctx.arg(slot::WORK).raw_eq(ctx.arg(slot::TABLE)) => ctx.ret0(),
        None => {
            ctx.set_arg(slot::NEXT, Val::int(1));
            copy_back(ctx)
        }
    }
}

/// The continuation with a comparator's answer.
fn compared(ctx: &mut Ctx<'_>) -> NativeResult {
    let answer = ctx.result(0).truthy();
    drop_pushed(ctx);
    match quicksort_state(ctx) {
        Some((state, work)) => quicksort_from(ctx, state, work, Some(answer)),
        None => ctx.ret0(),
    }
}

/// Whether `a` comes before `b`, or the call that tells.
#[inline]
fn before(ctx: &mut Ctx<'_>, a: Val, b: Val) -> Result<Result<bool, Action>, Thrown> {
    let mut function = ctx.arg(slot::COMPARATOR);
    if function.is_nil() {
        if let Some(answer) = ctx.vm.less_raw(Event::Lt, a, b) {
            return Ok(Ok(answer));
        }
        function = ctx.vm.meta_of(a, Event::Lt);
        if function.is_nil() {
            function = ctx.vm.meta_of(b, Event::Lt);
        }
        if function.is_nil() {
            return Err(ctx.vm.compare_error(a, b));
        }
    }
    ctx.push(function);
    ctx.push(a);
    ctx.push(b);
    ctx.call(2, compared).map(Err)
}

impl Quicksort {
    /// Compares until everything is sorted (`None`), or there is something to wait for.
    fn advance(
        &mut self,
        ctx: &mut Ctx<'_>,
        work: Gc<Table>,
        mut answer: Option<bool>,
    ) -> Result<Option<Action>, Thrown> {
        loop {
            if let Some(answer) = answer {
                self.take(ctx, work, answer)?;
            }
            if ctx.should_pause() {
                return ctx.pause(quicksort_on).map(Some);
            }
            ctx.charge(1);
            let at = |i: i64| work.get_int(i);
            let (a, b) = match self.phase {
                Phase::Next => {
                    let Some((first, last)) = self.ranges.pop() else {
                        return Ok(None);
                    };
                    (self.first, self.last) = (first, last);
                    self.phase = Phase::Ends;
                    answer = None;
                    continue;
                }
                Phase::Ends => (at(self.last), at(self.first)),
                Phase::Low => (at(self.middle), at(self.first)),
                Phase::High => (at(self.last), at(self.middle)),
                Phase::Up => (at(self.up), ctx.arg(slot::PIVOT)),
                Phase::Down => (ctx.arg(slot::PIVOT), at(self.down)),
            };
            match before(ctx, a, b)? {
                Ok(known) => answer = Some(known),
                Err(call) => return Ok(Some(call)),
            }
        }
    }

    /// Takes the answer of the comparison that `phase` names.
    #[inline]
    fn take(&mut self, ctx: &mut Ctx<'_>, work: Gc<Table>, answer: bool) -> Result<(), Thrown> {
        match self.phase {
            Phase::Next => {}
            Phase::Ends => {
                if answer {
                    swap(ctx, work, self.first, self.last)?;
                }
                if self.last - self.first == 1 {
                    self.phase = Phase::Next;
                } else {
                    self.middle = self.choose_middle();
                    self.phase = Phase::Low;
                }
            }
            Phase::Low if answer => {
                swap(ctx, work, self.first, self.middle)?;
                self.partition(ctx, work)?;
            }
            Phase::Low => self.phase = Phase::High,
            Phase::High => {
                if answer {
                    swap(ctx, work, self.middle, self.last)?;
                }
                self.partition(ctx, work)?;
            }
            Phase::Up if answer => {
                // The pivot itself stands at last - 1 and stops the scan, if the order is one.
                if self.up == self.last - 1 {
                    return Err(ctx.error("invalid order function for sorting"));
                }
                self.up += 1;
            }
            Phase::Up => {
                self.down -= 1;
                self.phase = Phase::Down;
            }
            Phase::Down if answer => {
                if self.down < self.up {
                    return Err(ctx.error("invalid order function for sorting"));
                }
                self.down -= 1;
            }
            Phase::Down if self.down < self.up => {
                swap(ctx, work, self.last - 1, self.up)?;
                self.split();
            }
            Phase::Down => {
                swap(ctx, work, self.up, self.down)?;
                self.up += 1;
                self.phase = Phase::Up;
            }
        }
        Ok(())
    }

    /// The middle, off by some in long ranges, so that no fixed input is the worst case for all lengths.
    fn choose_middle(&self) -> i64 {
        let length = self.last - self.first;
        let middle = self.first + length / 2;
        if length <= 100 {
            return middle;
        }
        let mixed =
            ((self.first ^ self.last << 20) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let quarter = length / 4;
        middle - quarter / 2 + mixed as i64 % quarter
    }

    /// First, middle and last are in order: three elements are sorted, more are partitioned.
    fn partition(&mut self, ctx: &mut Ctx<'_>, work: Gc<Table>) -> Result<(), Thrown> {
        if self.last - self.first == 2 {
            self.phase = Phase::Next;
            return Ok(());
        }
        ctx.set_arg(slot::PIVOT, work.get_int(self.middle));
        swap(ctx, work, self.middle, self.last - 1)?;
        self.up = self.first + 1;
        self.down = self.last - 1;
        self.phase = Phase::Up;
        Ok(())
    }

    /// The pivot is in its place at `up`: both sides are to be sorted, the shorter one first.
    fn split(&mut self) {
        let (left, right) = ((self.first, self.up - 1), (self.up + 1, self.last));
        let (shorter, longer) = match left.1 - left.0 < right.1 - right.0 {
            true => (left, right),
            false => (right, left),
        };
        self.phase = Phase::Ends;
        if shorter.0 < shorter.1 {
            self.ranges.push(longer);
            (self.first, self.last) = shorter;
        } else if longer.0 < longer.1 {
            (self.first, self.last) = longer;
        } else {
            self.phase = Phase::Next;
        }
    }
}

fn swap(ctx: &mut Ctx<'_>, t: Gc<Table>, i: i64, j: i64) -> Result<(), Thrown> {
    let (a, b) = (t.get_int(i), t.get_int(j));
    if !a.is_nil() && !b.is_nil() {
        // Both keys exist, so nothing is allocated.
        ctx.raw_set_int(t, i, b)?;
        return ctx.raw_set_int(t, j, a);
    }
    // If a comparator has removed one of them, storing allocates: both are kept on the stack meanwhile.
    ctx.push(a);
    ctx.push(b);
    ctx.raw_set_int(t, i, b)?;
    ctx.raw_set_int(t, j, a)?;
    ctx.pop();
    ctx.pop();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdlib::string::tests::check;

    #[test]
    fn elements_of_one_kind_are_sorted_at_once() {
        let mut numbers = [
            Val::int(3),
            Val::float(2.5),
            Val::int(-1),
            Val::float(f64::INFINITY),
        ];
        assert!(sort_elements(&mut numbers));
        let shown: Vec<f64> = numbers.iter().filter_map(|v| v.as_number()).collect();
        assert_eq!(shown, [-1.0, 2.5, 3.0, f64::INFINITY]);
        let mut ints = [Val::int(i64::MAX), Val::int(i64::MIN), Val::int(0)];
        assert!(sort_elements(&mut ints));
        assert_eq!(
            ints.map(|v| v.as_int()),
            [Some(i64::MIN), Some(0), Some(i64::MAX)]
        );
    }

    #[test]
    fn others_are_left_alone() {
        assert!(!sort_elements(&mut [Val::int(1), Val::float(f64::NAN)]));
        assert!(!sort_elements(&mut [Val::int(1), Val::NIL]));
        assert!(!sort_elements(&mut [Val::TRUE, Val::FALSE]));
    }

    #[test]
    fn every_way_sorts() {
        for kind in ["i", "'s' .. i", "i / 2", "(i % 2 == 0) and i or i + 0.5"] {
            for count in [2, 3, 10, 500, 8192, 8193, 20_000] {
                let (comparator, check_order) = ("", "t[i - 1] <= t[i]");
                let source = format!(
                    "local t = {{}} for n = 1, {count} do local i = n * 7919 % {count} t[n] = {kind} end table.sort(t{comparator})
                     for i = 2, {count} do assert({check_order}) end return #t"
                );
                assert_eq!(
                    crate::vm::tests::run(&source, false)
                        .1
                        .map(|v| v[0].as_int()),
                    Ok(Some(count))
                );
            }
        }
    }

    #[test]
    fn comparators_and_metamethods() {
        check(
            "local t = {3, 1, 2, 5, 4} table.sort(t, function(a, b) return a > b end) return table.unpack(t)",
            "5 4 3 2 1",
        );
        check(
            "local mt = {__lt = function(a, b) return a.v < b.v end} local t = {}
             for i, v in ipairs {4, 2, 8, 1} do t[i] = setmetatable({v = v}, mt) end table.sort(t)
             return t[1].v, t[2].v, t[3].v, t[4].v",
            "1 2 4 8",
        );
        check(
            "local real = {3, 1, 2} local p = setmetatable({}, {__len = function() return #real end,
               __index = function(_, k) return real[k] end, __newindex = function(_, k, v) real[k] = v end})
             table.sort(p) return table.unpack(real)",
            "1 2 3",
        );
        check(
            "local co = coroutine.wrap(function() local t = {3, 1, 2}
               table.sort(t, function(a, b) coroutine.yield(a) return a < b end) return table.concat(t, ' ') end)
             local r repeat r = co() until type(r) == 'string' return r",
            "1 2 3",
        );
    }

    #[test]
    fn contradictions_are_reported() {
        for count in 4..20 {
            let source = format!(
                "local t = {{}} for i = 1, {count} do t[i] = i end
                 return pcall(table.sort, t, function(a, b) assert(a and b) return true end)"
            );
            check(&source, "false invalid order function for sorting");
        }
        check(
            "return pcall(table.sort, {1, 'x', 2})",
            "false attempt to compare string with number",
        );
        check(
            "return pcall(table.sort, {3, 2, 1, 4}, function() error('stop', 0) end)",
            "false stop",
        );
        check(
            "local t = {} for i = 1, 9000 do t[i] = -i end t[8999] = 'x' return (pcall(table.sort, t))",
            "false",
        );
        check(
            "local t = {5, 4, 3, 2, 1} table.sort(t, function(a, b) t[1] = nil return (a or 0) < (b or 0) end) return #t >= 0",
            "true",
        );
        check(
            "return pcall(table.sort, setmetatable({}, {__len = function() return math.maxinteger end}))",
            "false bad argument #1 to 'table.sort' (array too big)",
        );
    }
}
