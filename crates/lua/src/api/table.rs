//! Tables as Rust code holds them.
//!
//! `get`, `set`, `len` and the like honour metamethods, calling them if need be; `raw_*` do not. A layered environment is
//! read and written as scripts do, for the coroutine that runs.

use super::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
use super::error::{Error, Result};
use super::function::Function;
use super::state::{Handle, Lua};
use super::value::{Args, Glance, Value};
use crate::heap::Gc;
use crate::native::Thrown;
use crate::table::{KIND_FROZEN, KIND_LAYERED, Table as RawTable};
use crate::value::Val;
use crate::vm::{Event, Vm};
use std::fmt;
use std::marker::PhantomData;

/// A Lua table.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let t = lua.create_table()?;
/// t.set("name", "rille")?;
/// t.push(10)?;
/// t.push(20)?;
/// assert_eq!(t.get::<String>("name")?, "rille");
/// assert_eq!(t.sequence_values::<i64>().collect::<LuaResult<Vec<_>>>()?, [10, 20]);
/// assert_eq!(t.get::<Option<i64>>("none")?, None);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Table(pub(crate) Handle);

/// Links of an `__index` or `__newindex` chain that are followed.
const MAX_CHAIN: usize = 2000;

impl Table {
    fn gc(&self) -> Gc<RawTable> {
        self.0.raw()
    }

    // ---- with metamethods ----

    /// `t[key]`
    pub fn get<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        let lua = self.0.lua()?;
        lua.balanced(|top| {
            key.push_into(&lua)?;
            lua.enter(|vm| {
                let key = vm.thread().get(top as usize);
                lua.index(vm, self.0.val, key)
            })??;
            let top = lua.enter(|vm| vm.thread().top as usize)?;
            V::from_arg(
                &Args {
                    lua: &lua,
                    base: top - 1,
                    count: 1,
                },
                0,
            )
        })
    }

    /// `t[key] = value`
    pub fn set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua()?;
        lua.balanced(|top| {
            key.push_into(&lua)?;
            value.push_into(&lua)?;
            lua.enter(|vm| {
                let (k, v) = (
                    vm.thread().get(top as usize),
                    vm.thread().get(top as usize + 1),
                );
                lua.assign(vm, self.0.val, k, v)
            })?
        })
    }

    /// `#t`
    pub fn len(&self) -> Result<i64> {
        let lua = self.0.lua()?;
        let method = lua.enter(|vm| vm.meta_of(self.0.val, Event::Len))?;
        if method.is_nil() {
            return lua.enter(|vm| storage(vm, self.gc()).border());
        }
        lua.call_val(method, &[self.0.val])
    }

    /// Whether the table has no entry at all.
    pub fn is_empty(&self) -> bool {
        let Ok(lua) = self.0.lua() else { return true };
        lua.enter(|vm| matches!(storage(vm, self.gc()).entry_from(0, usize::MAX), Ok(None)))
            .unwrap_or(true)
    }

    /// Whether `t[key]` is not nil.
    pub fn contains_key(&self, key: impl IntoLua) -> Result<bool> {
        Ok(!self.get::<Value>(key)?.is_nil())
    }

    /// Equality with `__eq`.
    pub fn equals(&self, other: &Table) -> Result<bool> {
        if self == other {
            return Ok(true);
        }
        let lua = self.0.lua()?;
        lua.equals(self.0.val, lua.own(&other.0)?)
    }

    /// Appends to the sequence: `t[#t + 1] = value`.
    pub fn push(&self, value: impl IntoLua) -> Result<()> {
        let next = self.len()?.wrapping_add(1);
        self.set(next, value)
    }

    /// Takes the last element of the sequence.
    pub fn pop<V: FromLua>(&self) -> Result<V> {
        let last = self.len()?;
        let value = self.get(last)?;
        self.set(last, Value::Nil)?;
        Ok(value)
    }

    /// Inserts into the sequence before position `at` (1 to length + 1), moving up what follows.
    pub fn insert(&self, at: i64, value: impl IntoLua) -> Result<()> {
        let n = self.len()?;
        if at < 1 || at > n.wrapping_add(1) {
            return Err(Error::runtime("index out of bounds"));
        }
        for i in (at..=n).rev() {
            self.set(i + 1, self.get::<Value>(i)?)?;
        }
        self.set(at, value)
    }

    /// Removes position `at` from the sequence, moving down what follows. Anything but an integer is just unset.
    pub fn remove(&self, at: impl IntoLua) -> Result<()> {
        let lua = self.0.lua()?;
        match at.into_lua(&lua)? {
            Value::Integer(at) => {
                let n = self.len()?;
                if at < 1 || at > n.wrapping_add(1) {
                    return Err(Error::runtime("index out of bounds"));
                }
                for i in at..n {
                    self.set(i, self.get::<Value>(i + 1)?)?;
                }
                self.set(n.max(at), Value::Nil)
            }
            key => self.set(key, Value::Nil),
        }
    }

    // ---- without metamethods ----

    /// `rawget(t, key)`
    pub fn raw_get<V: FromLua>(&self, key: impl IntoLua) -> Result<V> {
        let lua = self.0.lua()?;
        lua.balanced(|top| {
            key.push_into(&lua)?;
            lua.enter(|vm| {
                let t = vm.thread().get(top as usize);
                let v = vm.raw_get_layered(self.gc(), t);
                vm.thread_mut().set(top as usize, v);
            })?;
            V::from_arg(
                &Args {
                    lua: &lua,
                    base: top as usize,
                    count: 1,
                },
                0,
            )
        })
    }

    /// `rawget(t, i)`, for an index.
    pub fn raw_index(&self, i: i64) -> Result<Value> {
        let lua = self.0.lua()?;
        lua.enter(|vm| {
            let v = storage(vm, self.gc()).get_int(i);
            lua.value(vm, v)
        })
    }

    /// `rawset(t, key, value)`
    pub fn raw_set(&self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua()?;
        lua.balanced(|top| {
            key.push_into(&lua)?;
            value.push_into(&lua)?;
            lua.try_enter(|vm| {
                let (k, v) = (
                    vm.thread().get(top as usize),
                    vm.thread().get(top as usize + 1),
                );
                raw_store(vm, self.gc(), k, v)
            })
        })
    }

    /// `rawlen(t)`
    pub fn raw_len(&self) -> usize {
        let Ok(lua) = self.0.lua() else { return 0 };
        lua.enter(|vm| storage(vm, self.gc()).border())
            .map_or(0, |n| n as usize)
    }

    /// As `push`, without metamethods.
    pub fn raw_push(&self, value: impl IntoLua) -> Result<()> {
        self.raw_set(self.raw_len() + 1, value)
    }

    /// As `pop`, without metamethods.
    pub fn raw_pop<V: FromLua>(&self) -> Result<V> {
        let last = self.raw_len();
        let value = self.raw_get(last)?;
        self.raw_set(last, Value::Nil)?;
        Ok(value)
    }

    /// As `insert`, without metamethods.
    pub fn raw_insert(&self, at: i64, value: impl IntoLua) -> Result<()> {
        let n = self.raw_len() as i64;
        if at < 1 || at > n + 1 {
            return Err(Error::runtime("index out of bounds"));
        }
        for i in (at..=n).rev() {
            self.raw_set(i + 1, self.raw_get::<Value>(i)?)?;
        }
        self.raw_set(at, value)
    }

    /// As `remove`, without metamethods.
    pub fn raw_remove(&self, at: impl IntoLua) -> Result<()> {
        let lua = self.0.lua()?;
        match at.into_lua(&lua)? {
            Value::Integer(at) => {
                let n = self.raw_len() as i64;
                if at < 1 || at > n + 1 {
                    return Err(Error::runtime("index out of bounds"));
                }
                for i in at..n {
                    self.raw_set(i, self.raw_get::<Value>(i + 1)?)?;
                }
                self.raw_set(n.max(at), Value::Nil)
            }
            key => self.raw_set(key, Value::Nil),
        }
    }

    /// Removes every entry and keeps the memory; the metatable stays.
    pub fn clear(&self) -> Result<()> {
        let lua = self.0.lua()?;
        lua.try_enter(|vm| {
            let t = writable(vm, self.gc())?;
            vm.clear_table(t);
            Ok(())
        })
    }

    /// The metatable.
    pub fn metatable(&self) -> Option<Table> {
        let lua = self.0.lua().ok()?;
        lua.enter(|vm| {
            let meta = vm.metatable_of(self.0.val)?;
            Some(Table(lua.handle(vm, Val::table(meta))))
        })
        .ok()?
    }

    /// Sets or takes away the metatable, whatever `__metatable` says.
    pub fn set_metatable(&self, metatable: Option<Table>) -> Result<()> {
        let lua = self.0.lua()?;
        let meta = match &metatable {
            Some(t) => lua.own(&t.0)?.as_table(),
            None => None,
        };
        lua.try_enter(|vm| {
            writable(vm, self.gc())?;
            vm.set_metatable(self.0.val, meta)
        })
    }

    /// Makes the table read-only: every store into it by a script or through this API is an error. Tables in it are not frozen.
    pub fn freeze(&self) -> Result<()> {
        let lua = self.0.lua()?;
        lua.enter(|vm| {
            let mut t = storage(vm, self.gc());
            t.header.extra |= KIND_FROZEN;
        })
    }

    /// Whether the table is read-only.
    pub fn is_frozen(&self) -> bool {
        let Ok(lua) = self.0.lua() else { return false };
        lua.enter(|vm| storage(vm, self.gc()).header.extra & KIND_FROZEN != 0)
            .unwrap_or(false)
    }

    /// An address that names the table.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        std::ptr::without_provenance(self.0.address())
    }

    // ---- traversal ----

    /// All entries, without metamethods. Entries may be assigned to, and cleared, meanwhile; new keys end the traversal
    /// with an error or miss entries.
    pub fn pairs<K: FromLua, V: FromLua>(&self) -> TablePairs<'_, K, V> {
        TablePairs {
            table: self,
            key: Some(Value::Nil),
            types: PhantomData,
        }
    }

    /// The entry after a key in the table's own order, the first one after nil: `next(t, key)`. For a traversal that is
    /// interrupted; [`Table::pairs`] is for one that is not.
    pub fn next_entry(&self, key: &Value) -> Result<Option<(Value, Value)>> {
        let lua = self.0.lua()?;
        let key = lua.val_of(key)?;
        lua.enter(|vm| {
            let t = storage(vm, self.gc());
            match vm.table_next(t, key) {
                Ok(None) => Ok(None),
                Ok(Some((k, v))) => Ok(Some((lua.value(vm, k), lua.value(vm, v)))),
                Err(thrown) => Err(lua.caught(vm, thrown)),
            }
        })?
    }

    /// Calls `f` with every entry in the table's own order until it gives false, without a reference to any of them; whether it never did. `f`
    /// cannot use the VM.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// let lua = Lua::new();
    /// let t: LuaTable = lua.load("return {'a', 'bc'}").eval()?;
    /// let mut length = 0;
    /// t.look(|_, value| {
    ///     let LuaGlance::String(text) = value else { return false };
    ///     length += text.len();
    ///     true
    /// })?;
    /// assert_eq!(length, 3);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn look(&self, mut f: impl FnMut(Glance<'_>, Glance<'_>) -> bool) -> Result<bool> {
        let lua = self.0.lua()?;
        lua.enter(|vm| {
            let t = storage(vm, self.gc());
            let (mut at, mut all) = (0, true);
            while let (true, Ok(Some((next, k, v)))) = (all, t.entry_from(at, usize::MAX)) {
                all = f(Glance::at(&lua, &k), Glance::at(&lua, &v));
                at = next;
            }
            let passed = if all { t.slot_count() } else { at };
            vm.heap.spend((passed / 4) as i64);
            all
        })
    }

    /// Calls `f` with every entry.
    pub fn for_each<K: FromLua, V: FromLua>(
        &self,
        mut f: impl FnMut(K, V) -> Result<()>,
    ) -> Result<()> {
        self.pairs::<K, V>()
            .try_for_each(|pair| pair.and_then(|(k, v)| f(k, v)))
    }

    /// The elements from 1 to before the first nil, without metamethods.
    pub fn sequence_values<V: FromLua>(&self) -> TableSequence<'_, V> {
        TableSequence {
            table: self,
            next: 1,
            end: None,
            types: PhantomData,
        }
    }

    // ---- functions in the table ----

    /// Calls the function (or callable) under a key.
    pub fn call_function<R: FromLuaMulti>(
        &self,
        key: impl IntoLua,
        args: impl IntoLuaMulti,
    ) -> Result<R> {
        match self.get::<Value>(key)? {
            Value::Function(f) => f.call(args),
            v => super::function::call_value(&self.0.lua()?, &v, args),
        }
    }

    /// As `call_function`, with the table as the first argument: `t:key(...)`.
    pub fn call_method<R: FromLuaMulti>(
        &self,
        key: impl IntoLua,
        args: impl IntoLuaMulti,
    ) -> Result<R> {
        let lua = self.0.lua()?;
        let mut all = args.into_lua_multi(&lua)?;
        all.push_front(Value::Table(self.clone()));
        self.call_function(key, all)
    }

    /// Calls the table itself (`__call`).
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        super::function::call_value(&self.0.lua()?, &Value::Table(self.clone()), args)
    }

    /// The function under a key.
    pub fn get_function(&self, key: impl IntoLua) -> Result<Function> {
        self.get(key)
    }
}

/// Where the entries of a table are: a layered environment has the app's.
pub(super) fn storage(_: &Vm, t: Gc<RawTable>) -> Gc<RawTable> {
    if t.header.extra & KIND_LAYERED != 0 {
        t.layered_base()
    } else {
        t
    }
}

/// Where stores into a table go; an error for a frozen one.
fn writable(vm: &mut Vm, t: Gc<RawTable>) -> Result<Gc<RawTable>, Thrown> {
    let t = if t.header.extra & KIND_LAYERED != 0 {
        vm.layered_target(t)
    } else {
        t
    };
    if t.header.extra & KIND_FROZEN != 0 {
        return Err(vm.throw_str("attempt to modify a read-only table"));
    }
    Ok(t)
}

fn raw_store(vm: &mut Vm, t: Gc<RawTable>, key: Val, value: Val) -> Result<(), Thrown> {
    let t = writable(vm, t)?;
    vm.table_set(t, key, value)
}

impl Vm {
    /// `rawget` that sees both layers of a layered environment.
    fn raw_get_layered(&self, t: Gc<RawTable>, key: Val) -> Val {
        if t.header.extra & KIND_LAYERED != 0 {
            if let Some(v) = self.own_global(key) {
                return v;
            }
            return t.layered_base().get(self.heap.hash_key, key);
        }
        t.get(self.heap.hash_key, key)
    }
}

impl Lua {
    /// Pushes `obj[key]`; both are rooted by the caller.
    pub(crate) fn index(&self, vm: &mut Vm, obj: Val, key: Val) -> Result<()> {
        let mut obj = obj;
        for _ in 0..MAX_CHAIN {
            let handler = match obj.as_table() {
                Some(t) => {
                    let v = vm.raw_get_layered(t, key);
                    let handler = if v.is_nil() {
                        vm.meta_of(obj, Event::Index)
                    } else {
                        Val::NIL
                    };
                    if handler.is_nil() {
                        return Self::push_val(vm, v).map_err(|e| self.caught(vm, e));
                    }
                    handler
                }
                None => vm.meta_of(obj, Event::Index),
            };
            if handler.is_nil() {
                let kind = vm.type_name_for_message(obj);
                return Err(Error::RuntimeError(format!(
                    "attempt to index a {kind} value"
                )));
            }
            if handler.is_function() {
                return self.call_into_one(vm, handler, &[obj, key]);
            }
            obj = handler;
        }
        Err(Error::runtime("'__index' chain too long; possible loop"))
    }

    /// `obj[key] = v`; all are rooted by the caller.
    pub(crate) fn assign(&self, vm: &mut Vm, obj: Val, key: Val, v: Val) -> Result<()> {
        let mut obj = obj;
        for _ in 0..MAX_CHAIN {
            let handler = match obj.as_table() {
                Some(t) => {
                    let target = writable(vm, t).map_err(|e| self.caught(vm, e))?;
                    let handler = match vm.metatable_of(Val::table(target)) {
                        Some(meta) if target.get(vm.heap.hash_key, key).is_nil() => {
                            vm.meta_field(meta, Event::NewIndex)
                        }
                        _ => Val::NIL,
                    };
                    if handler.is_nil() {
                        return vm.table_set(target, key, v).map_err(|e| self.caught(vm, e));
                    }
                    handler
                }
                None => vm.meta_of(obj, Event::NewIndex),
            };
            if handler.is_nil() {
                let kind = vm.type_name_for_message(obj);
                return Err(Error::RuntimeError(format!(
                    "attempt to index a {kind} value"
                )));
            }
            if handler.is_function() {
                return self.call_into_one(vm, handler, &[obj, key, v]);
            }
            obj = handler;
        }
        Err(Error::runtime("'__newindex' chain too long; possible loop"))
    }

    /// Calls `f`, leaving one result on the stack.
    pub(crate) fn call_into_one(&self, vm: &mut Vm, f: Val, args: &[Val]) -> Result<()> {
        let mark = vm.scratch.len();
        vm.scratch.push(f);
        vm.scratch.extend_from_slice(args);
        let mut pushed = Self::push_val(vm, f);
        for v in args {
            pushed = pushed.and_then(|()| Self::push_val(vm, *v));
        }
        vm.scratch.truncate(mark);
        pushed.map_err(|e| self.caught(vm, e))?;
        let from = self.call_pushed(vm, args.len() as u32)?;
        let t = vm.thread_mut();
        if t.top as usize <= from {
            t.set(from, Val::NIL);
        }
        t.top = from as u32 + 1;
        Ok(())
    }

    /// Calls `f` and converts its first result.
    pub(crate) fn call_val<R: FromLua>(&self, f: Val, args: &[Val]) -> Result<R> {
        self.balanced(|_| {
            self.enter(|vm| self.call_into_one(vm, f, args))??;
            let top = self.enter(|vm| vm.thread().top as usize)?;
            R::from_arg(
                &Args {
                    lua: self,
                    base: top - 1,
                    count: 1,
                },
                0,
            )
        })
    }

    /// Equality of two tables or userdata that are not the same, with `__eq`.
    pub(crate) fn equals(&self, a: Val, b: Val) -> Result<bool> {
        let method = self.enter(|vm| match vm.meta_of(a, Event::Eq) {
            m if m.is_nil() => vm.meta_of(b, Event::Eq),
            m => m,
        })?;
        if method.is_nil() {
            Ok(false)
        } else {
            self.call_val(method, &[a, b])
        }
    }
}

/// The entries of a table (see [`Table::pairs`]).
pub struct TablePairs<'a, K, V> {
    table: &'a Table,
    /// The last key; `None`: the end was reached.
    key: Option<Value>,
    types: PhantomData<(K, V)>,
}

impl<K: FromLua, V: FromLua> TablePairs<'_, K, V> {
    fn step(&mut self, key: Value) -> Result<Option<(K, V)>> {
        let lua = self.table.0.lua()?;
        let Some((k, v)) = self.table.next_entry(&key)? else {
            return Ok(None);
        };
        self.key = Some(k.clone());
        Ok(Some((K::from_lua(k, &lua)?, V::from_lua(v, &lua)?)))
    }
}

impl<K: FromLua, V: FromLua> Iterator for TablePairs<'_, K, V> {
    type Item = Result<(K, V)>;
    fn next(&mut self) -> Option<Self::Item> {
        let key = self.key.take()?;
        self.step(key).transpose()
    }
}

/// The elements of a sequence (see [`Table::sequence_values`]).
pub struct TableSequence<'a, V> {
    table: &'a Table,
    next: i64,
    /// Set when the end was reached.
    end: Option<()>,
    types: PhantomData<V>,
}

impl<V: FromLua> Iterator for TableSequence<'_, V> {
    type Item = Result<V>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() {
            return None;
        }
        let value = self.table.0.lua().and_then(|lua| {
            let v = lua.enter(|vm| {
                let v = storage(vm, self.table.gc()).get_int(self.next);
                lua.value(vm, v)
            })?;
            Ok((v, lua))
        });
        self.next += 1;
        match value {
            Ok((Value::Nil, _)) => {
                self.end = Some(());
                None
            }
            Ok((v, lua)) => Some(V::from_lua(v, &lua)),
            Err(e) => {
                self.end = Some(());
                Some(Err(e))
            }
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({:#x})", self.0.address())
    }
}
