//! The whole-heap checker: walks every object and says what is wrong. For tests and stress runs.
//!
//! It looks at: kinds of all cells, every reference from an object or root to another (alive, right kind), the
//! colour invariant, the intern table, table parts (keys in the right part, chains that end), open variables, frames, that the
//! bytes charged are the bytes in use, and, where the dialect has no integers, that no value a script can see is one.

use super::collect::{Phase, mark_bits};
use super::{Gc, Header, object_size};
use crate::function::{LuaClosure, NativeClosure, Proto, UpBox};
use crate::string::Str;
use crate::table::Table;
use crate::thread::Thread;
use crate::userdata::UserDataObject;
use crate::value::{Val, tag};
use crate::vm::Vm;
use crate::vm::debug::traceback::frame_code;
use std::collections::HashSet;

struct Check<'a> {
    vm: &'a Vm,
    alive: HashSet<usize>,
    /// Dead ones too.
    objects: HashSet<usize>,
    problems: Vec<String>,
    bytes: usize,
    /// Charges for code that were counted: prototypes of a chunk share one.
    code: HashSet<usize>,
}

impl Vm {
    /// Everything that is wrong with the heap; empty when it is sound. Takes time proportional to the heap.
    pub(crate) fn check_heap(&self) -> Vec<String> {
        let mut check = Check {
            vm: self,
            alive: HashSet::new(),
            objects: HashSet::new(),
            problems: Vec::new(),
            bytes: 0,
            code: HashSet::new(),
        };
        let mut objects = Vec::new();
        for id in 0..self.heap.pages.count() {
            let (memory, cell, used) = self.heap.pages.cells(id);
            for i in 0..used {
                // SAFETY: cells below the bump mark are initialised.
                unsafe {
                    let h = memory.add(i * cell) as *mut Header;
                    if (*h).kind != 0 {
                        objects.push(h);
                    }
                }
            }
        }
        objects.extend(self.heap.large.iter().copied().filter(|h| {
            // SAFETY: large blocks are initialised.
            unsafe { (**h).kind != 0 }
        }));
        let dead = |h: *mut Header| {
            // While objects are brought back for their finalizers, dead ones still come alive.
            let sweeping = self.heap.gc.phase > Phase::Resurrect;
            // SAFETY: a live cell.
            sweeping
                && unsafe {
                    (*h).mark & mark_bits::WHITES == self.heap.gc.white ^ mark_bits::WHITES
                }
        };
        check
            .alive
            .extend(objects.iter().filter(|h| !dead(**h)).map(|h| *h as usize));
        check.objects.extend(objects.iter().map(|h| *h as usize));
        for h in &objects {
            check.object(*h, dead(*h));
        }
        check.roots();
        check.strings(&objects);
        let expected =
            check.bytes + self.heap.strings.bytes() + self.heap.buffers + self.heap.lists;
        if expected != self.heap.used {
            check.problems.push(format!(
                "{} bytes are charged, {} are in use",
                self.heap.used, expected
            ));
        }
        check.problems
    }
}

impl Check<'_> {
    fn value(&mut self, v: Val, what: &str) {
        if !v.is_object() {
            return;
        }
        if v.tag > tag::PROTO {
            self.problems
                .push(format!("{what}: value with tag {}", v.tag));
            return;
        }
        // To look at an entry of a hidden weak table revives its strings.
        let revived = v.is_str() && self.objects.contains(&(v.payload as usize)) && {
            // SAFETY: an object, by its address.
            let mark = unsafe { (*v.header()).mark };
            mark & mark_bits::WHITES == self.vm.heap.gc.white
        };
        if !self.alive.contains(&(v.payload as usize)) && !revived {
            self.problems.push(format!(
                "{what}: refers to a dead object (tag {}, {:#x})",
                v.tag, v.payload
            ));
            return;
        }
        // SAFETY: the address is a live object's.
        let kind = unsafe { (*v.header()).kind };
        if kind != v.tag {
            self.problems
                .push(format!("{what}: tag {} on an object of kind {kind}", v.tag));
        }
    }

    /// A value that a script can see: checked as any, and no integer where there are none.
    fn visible(&mut self, v: Val, what: &str) {
        if self.vm.floats && v.tag == tag::INT {
            self.problems.push(format!(
                "{what}: the integer {} where there are floats only",
                v.raw_int()
            ));
        }
        self.value(v, what);
    }

    fn pointer<T>(&mut self, p: *mut T, kind: u8, what: &str) {
        if !p.is_null() {
            self.value(Val::object(p as *mut Header, kind), what);
        }
    }

    fn object(&mut self, h: *mut Header, dead: bool) {
        self.bytes += object_size(h);
        // SAFETY: a live cell; its kind tells its type. Parts of dead objects are still theirs.
        unsafe {
            match (*h).kind {
                tag::STR => {}
                tag::TABLE => {
                    let t: Gc<Table> = Gc::from_ptr(h as *mut Table);
                    self.bytes += t.part_bytes();
                    if !dead {
                        self.table(t);
                    }
                }
                tag::LCLOSURE => {
                    let c = &*(h as *mut LuaClosure);
                    if !dead {
                        self.pointer(c.proto, tag::PROTO, "closure's prototype");
                        for i in 0..c.count() {
                            self.visible(*c.upvalue_ptr(i), "closure's upvalue");
                        }
                    }
                }
                tag::NCLOSURE => {
                    let c = &*(h as *mut NativeClosure);
                    if !dead {
                        for i in 0..c.count() {
                            self.value(*c.upvalue_ptr(i), "native closure's upvalue");
                        }
                    }
                }
                tag::PROTO => {
                    let p = &*(h as *mut Proto);
                    let children = p.function.children.len();
                    self.bytes += size_of_val(p.constants()) + children * size_of::<*mut Proto>();
                    if let Some(code) = &p.private
                        && self.code.insert(std::rc::Rc::as_ptr(code) as usize)
                    {
                        self.bytes += **code;
                    }
                    if !dead {
                        for v in p.constants() {
                            self.visible(*v, "constant");
                        }
                        for i in 0..children {
                            self.pointer(*p.children.add(i), tag::PROTO, "child prototype");
                        }
                    }
                }
                tag::USERDATA => {
                    let u = &*(h as *mut UserDataObject);
                    self.bytes += (*h).aux as usize;
                    if !dead {
                        self.pointer(u.meta, tag::TABLE, "userdata's metatable");
                        self.visible(u.user_value, "userdata's value");
                    }
                }
                tag::UPBOX => {
                    let b = &*(h as *mut UpBox);
                    if !dead && !b.is_open() {
                        self.visible(b.closed, "captured variable");
                    }
                }
                tag::THREAD => {
                    let t = &*(h as *mut Thread);
                    self.bytes += t.stack_bytes();
                    if !dead {
                        self.thread(t);
                    }
                }
                kind => self.problems.push(format!("an object of kind {kind}")),
            }
        }
    }

    fn table(&mut self, t: Gc<Table>) {
        self.pointer(t.meta, tag::TABLE, "metatable");
        let mut at = 0;
        while let Ok(Some((next, key, v))) = t.entry_from(at, usize::MAX) {
            at = next;
            self.value(key, "table key");
            self.visible(v, "table value");
            // A dead key may not carry a value; an integer key of the array's range may not be a node.
            if key.tag == tag::DEAD_KEY {
                self.problems.push("a dead key has a value".to_owned());
            } else if self.alive.contains(&(key.payload as usize)) || !key.is_object() {
                let found = t.get(self.vm.heap.hash_key, key);
                if !found.raw_eq(v) && !matches!(v.as_float(), Some(f) if f.is_nan()) {
                    self.problems
                        .push(format!("key {key:?} is in the table but not found"));
                }
            }
        }
    }

    fn thread(&mut self, t: &Thread) {
        for i in 0..t.extent() {
            self.value(t.get(i), "stack slot");
        }
        for frame in t.frames() {
            if t.register_end(frame) > t.stack_size as usize {
                self.problems
                    .push("a frame's registers are out of its stack".to_owned());
            }
        }
        if self.vm.floats {
            self.variables(t);
        }
        self.pointer(t.globals, tag::TABLE, "coroutine's globals");
        self.pointer(t.resumer, tag::THREAD, "resumer");
        if let Some(hook) = &t.hook {
            self.value(hook.function, "hook");
        }
        let mut open = t.open;
        let mut above = usize::MAX;
        while !open.is_null() {
            if !self.alive.contains(&(open as usize)) {
                self.problems
                    .push("an open variable's box is dead".to_owned());
                return;
            }
            // SAFETY: the box is alive.
            unsafe {
                let at = (*open).location as usize;
                if at >= above
                    || at < t.stack as usize
                    || at >= t.stack.add(t.stack_size as usize) as usize
                {
                    self.problems
                        .push("an open variable is out of order or out of its stack".to_owned());
                }
                above = at;
                open = (*open).next_open();
            }
        }
    }

    /// The local variables and extra arguments of the Lua functions that run in a coroutine. What else is on its stack is
    /// natives' state, or left there by one.
    fn variables(&mut self, t: &Thread) {
        for (i, frame) in t.frames().iter().enumerate() {
            let code = frame_code(t, frame.func as usize).filter(|_| !frame.is_native());
            let Some(code) = code else { continue };
            let base = frame.base as usize;
            for slot in base - frame.extra as usize..base {
                self.visible(t.get(slot), "extra argument");
            }
            let pc = self.vm.instruction_index(t, i);
            let mut n = 1;
            while code.local_name(n, pc).is_some() {
                self.visible(t.get(base + n - 1), "local variable");
                n += 1;
            }
        }
    }

    fn roots(&mut self) {
        let vm = self.vm;
        for v in vm.roots.iter().chain(&vm.scratch).chain(&vm.handles) {
            self.value(*v, "root");
        }
        self.value(vm.thrown, "the error being thrown");
        self.pointer(vm.main, tag::THREAD, "main coroutine");
        self.pointer(vm.current, tag::THREAD, "current coroutine");
        for m in vm.metatables {
            self.pointer(m, tag::TABLE, "a type's metatable");
        }
    }

    fn strings(&mut self, objects: &[*mut Header]) {
        let mut interned = 0;
        for &h in objects {
            // SAFETY: a live cell; strings' bytes are initialised.
            unsafe {
                if (*h).kind != tag::STR {
                    continue;
                }
                let s: Gc<Str> = Gc::from_ptr(h as *mut Str);
                if s.is_interned() {
                    interned += 1;
                    if self.vm.heap.strings.find(s.hash, s.as_bytes()) != Some(s) {
                        self.problems.push(format!(
                            "string {:?} is not in the intern table",
                            s.as_bytes()
                        ));
                    }
                }
            }
        }
        if interned != self.vm.heap.strings.len() {
            self.problems.push(format!(
                "{} interned strings, {interned} in use",
                self.vm.heap.strings.len()
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::host::StdHost;
    use crate::value::{Val, tag};
    use crate::vm::Vm;
    use std::rc::Rc;

    fn vm() -> Box<Vm> {
        let vm = Vm::new(
            Rc::new(StdHost::default()),
            usize::MAX / 2,
            false,
            Default::default(),
        )
        .expect("memory");
        assert_eq!(vm.check_heap(), Vec::<String>::new());
        vm
    }

    #[track_caller]
    fn finds(vm: &Vm, what: &str) {
        let problems = vm.check_heap();
        assert!(
            problems.iter().any(|p| p.contains(what)),
            "{problems:?} does not say {what:?}"
        );
    }

    #[test]
    fn a_wrong_count_of_bytes() {
        let mut vm = vm();
        vm.heap.used += 8;
        finds(&vm, "bytes are charged");
        vm.heap.used -= 8;
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn a_reference_to_a_freed_object() {
        let mut vm = vm();
        let t = vm.new_table().expect("memory");
        vm.scratch.push(Val::table(t));
        let gone = Val::table(vm.new_table().expect("memory"));
        vm.collect_everything();
        vm.table_set_int(t, 1, gone).expect("memory");
        finds(&vm, "table value: refers to a dead object");
        vm.table_set_int(t, 1, Val::NIL).expect("memory");
        vm.roots.push(gone);
        finds(&vm, "root: refers to a dead object");
        vm.roots.pop();
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn a_tag_that_does_not_fit_its_object() {
        let mut vm = vm();
        let t = vm.new_table().expect("memory");
        vm.scratch.push(Val::object(t.header(), tag::THREAD));
        finds(&vm, "on an object of kind");
        vm.scratch.pop();
    }

    #[test]
    fn a_string_missing_from_the_intern_table() {
        let mut vm = vm();
        let s = vm.intern(b"interned").expect("memory");
        vm.scratch.push(Val::str(s));
        vm.heap.strings.remove(s);
        finds(&vm, "is not in the intern table");
        assert_eq!(vm.heap.strings.insert(s), 0);
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn an_integer_where_there_are_none() {
        for dialect in crate::Dialect::ALL {
            let host = Rc::new(StdHost::default());
            let mut vm = Vm::new(host, usize::MAX / 2, false, dialect).expect("memory");
            let globals = vm.globals;
            vm.set_field(globals, "x", Val::int(7)).expect("memory");
            let said = vm.check_heap();
            // `table_set` makes it a float; a hole in that is what the checker is for.
            assert_eq!(said, Vec::<String>::new(), "{dialect}");
            let name = Val::str(vm.intern(b"x").expect("memory"));
            let slot = globals.find(vm.heap.hash_key, name).expect("is there");
            slot.set(Val::int(7));
            let said = vm.check_heap();
            let expected = match dialect.has_integers() {
                true => Vec::new(),
                false => vec!["table value: the integer 7 where there are floats only".to_owned()],
            };
            assert_eq!(said, expected, "{dialect}");
        }
    }

    #[test]
    fn registers_out_of_their_stack() {
        let source = "local co = coroutine.create(function() coroutine.yield() local a, b, c, d, e, f, g, h end)
            coroutine.resume(co) return co";
        let (vm, result) = crate::vm::tests::run(source, false);
        let co = result.map(|values| values[0].as_thread());
        let Ok(Some(mut co)) = co else {
            panic!("{co:?}")
        };
        assert_eq!(vm.check_heap(), Vec::<String>::new());
        let size = std::mem::replace(&mut co.stack_size, 8);
        finds(&vm, "a frame's registers are out of its stack");
        co.stack_size = size;
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }

    #[test]
    fn open_variables_out_of_order() {
        let mut vm = vm();
        vm.thread_mut().top = 4;
        let low = vm.find_box(1).expect("memory");
        let high = vm.find_box(2).expect("memory");
        assert_eq!(vm.check_heap(), Vec::<String>::new());
        // SAFETY: both boxes are on the open list of the main coroutine.
        unsafe { std::ptr::swap(&raw mut (*low).location, &raw mut (*high).location) };
        finds(&vm, "out of order");
        // SAFETY: as above.
        unsafe { std::ptr::swap(&raw mut (*low).location, &raw mut (*high).location) };
        assert_eq!(vm.check_heap(), Vec::<String>::new());
    }
}
