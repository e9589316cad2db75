//! Objects of the host's in Lua.
//!
//! | file | what |
//! |---|---|
//! | this one | [`AnyUserData`] and the [`UserData`] trait |
//! | `access` | `__index` and `__newindex` of types with fields |
//! | `cell` | the object with its borrows |
//! | `registry` | what a type offers to Lua, made into its metatable |
//!
//! **Invariant:** the object in a userdata is an `Rc<UserDataCell<T>>`. A borrow holds the `Rc`, so neither the collector nor
//! [`AnyUserData::take`] can free what is borrowed.

mod access;
mod cell;
mod meta;
mod registry;

pub use cell::{UserDataRef, UserDataRefMut};
pub use meta::MetaMethod;
pub(crate) use registry::TypeRegistry;
pub use registry::{UserDataFields, UserDataMethods, UserDataRegistry};

use super::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
use super::error::{Error, Result};
use super::function::call_value;
use super::state::{Handle, Lua};
use super::table::Table;
use super::value::{Args, Value};
use crate::heap::Gc;
use crate::table::Table as RawTable;
use crate::userdata::UserDataObject;
use crate::value::Val;
use cell::UserDataCell;
use std::any::Any;
use std::fmt;
use std::rc::Rc;

/// A type whose values can be objects in Lua.
///
/// ```
/// use rille_lua::prelude::*;
///
/// struct Counter { n: i64 }
///
/// impl LuaUserData for Counter {
///     fn add_fields<F: LuaUserDataFields<Self>>(fields: &mut F) {
///         fields.add_field_method_get("n", |_, this| Ok(this.n));
///         fields.add_field_method_set("n", |_, this, n: i64| { this.n = n; Ok(()) });
///     }
///     fn add_methods<M: LuaUserDataMethods<Self>>(methods: &mut M) {
///         methods.add_method_mut("add", |_, this, by: i64| { this.n += by; Ok(this.n) });
///         methods.add_meta_method(LuaMetaMethod::Len, |_, this, ()| Ok(this.n));
///         methods.add_function("new", |_, n: i64| Ok(Counter { n }));
///     }
/// }
///
/// let lua = Lua::new();
/// lua.globals().set("c", Counter { n: 1 })?;
/// assert_eq!(lua.load("c:add(4); c.n = c.n * 2; return #c").eval::<i64>()?, 10);
/// # Ok::<(), LuaError>(())
/// ```
pub trait UserData: Sized + 'static {
    /// Names the type's fields.
    #[allow(unused_variables)]
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {}
    /// Names the type's methods.
    #[allow(unused_variables)]
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {}
    /// Both.
    fn register(registry: &mut UserDataRegistry<Self>) {
        Self::add_fields(registry);
        Self::add_methods(registry);
    }
}

/// An object of the host's, whatever its type.
///
/// ```
/// use rille_lua::prelude::*;
/// struct Point(f64, f64);
/// impl LuaUserData for Point {}
/// let lua = Lua::new();
/// let p = lua.create_userdata(Point(1.0, 2.0))?;
/// assert!(p.is::<Point>());
/// assert_eq!(p.borrow::<Point>()?.1, 2.0);
/// p.borrow_mut::<Point>()?.0 = 5.0;
/// assert_eq!(p.take::<Point>()?.0, 5.0);
/// assert!(matches!(p.borrow::<Point>(), Err(LuaError::UserDataDestructed)));
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct AnyUserData(pub(crate) Handle);

impl AnyUserData {
    fn gc(&self) -> Gc<UserDataObject> {
        self.0.raw()
    }

    /// Whether the object is a `T`.
    pub fn is<T: 'static>(&self) -> bool {
        self.cell::<T>().is_ok()
    }

    fn cell<T: 'static>(&self) -> Result<Rc<UserDataCell<T>>> {
        let lua = self.0.lua()?;
        lua.enter(|_| cell_of(self.0.val))?
    }

    /// Borrows the object.
    pub fn borrow<T: 'static>(&self) -> Result<UserDataRef<T>> {
        UserDataRef::new(self.cell()?)
    }

    /// Borrows the object mutably.
    pub fn borrow_mut<T: 'static>(&self) -> Result<UserDataRefMut<T>> {
        UserDataRefMut::new(self.cell()?)
    }

    /// Takes the object out. What Lua still has of it is an empty shell whose use is an error.
    pub fn take<T: 'static>(&self) -> Result<T> {
        let cell = self.cell::<T>()?;
        cell.check_free()?;
        let lua = self.0.lua()?;
        // The object's own reference goes, outside of the VM's hold (dropping it frees nothing: there is `cell`).
        let held = lua.enter(|_| self.gc().data.take())?;
        drop(held);
        match Rc::try_unwrap(cell) {
            Ok(cell) => Ok(cell.into_inner()),
            // Somebody else is about to borrow it: back with it.
            Err(cell) => {
                let back: Box<dyn Any> = Box::new(cell);
                lua.enter(|_| self.gc().data = Some(back))?;
                Err(Error::UserDataBorrowMutError)
            }
        }
    }

    /// Drops the object now rather than when it is collected.
    pub fn destroy(&self) -> Result<()> {
        let lua = self.0.lua()?;
        let data = lua.enter(|_| self.gc().data.take())?;
        drop(data);
        Ok(())
    }

    /// The value kept with the object.
    pub fn user_value<V: FromLua>(&self) -> Result<V> {
        let lua = self.0.lua()?;
        let value = lua.enter(|vm| {
            let v = self.gc().user_value;
            lua.value(vm, v)
        })?;
        V::from_lua(value, &lua)
    }

    /// Keeps a value with the object.
    pub fn set_user_value(&self, value: impl IntoLua) -> Result<()> {
        let lua = self.0.lua()?;
        lua.balanced(|top| {
            value.push_into(&lua)?;
            lua.enter(|vm| {
                let v = vm.thread().get(top as usize);
                let mut u = self.gc();
                u.user_value = v;
                vm.barrier(u.header(), v);
            })
        })
    }

    /// The metatable that objects of this type share.
    pub fn metatable(&self) -> Result<Table> {
        let lua = self.0.lua()?;
        let meta = lua.enter(|vm| {
            let meta = Gc::from_nullable(self.gc().meta)?;
            Some(Table(lua.handle(vm, Val::table(meta))))
        })?;
        meta.ok_or(Error::UserDataTypeMismatch)
    }

    /// The name of the type, as messages show it.
    pub fn type_name(&self) -> Result<Option<String>> {
        self.metatable()?.raw_get("__name")
    }

    /// `object[key]`
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

    /// `object[key] = value`
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

    /// `object(...)`
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        call_value(&self.0.lua()?, &Value::UserData(self.clone()), args)
    }

    /// `object:name(...)`
    pub fn call_method<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua()?;
        let mut all = args.into_lua_multi(&lua)?;
        all.push_front(Value::UserData(self.clone()));
        self.call_function(name, all)
    }

    /// `object.name(...)`
    pub fn call_function<R: FromLuaMulti>(&self, name: &str, args: impl IntoLuaMulti) -> Result<R> {
        let f = self.get::<Value>(name)?;
        call_value(&self.0.lua()?, &f, args)
    }

    /// Equality with `__eq`.
    pub fn equals(&self, other: &AnyUserData) -> Result<bool> {
        if self == other {
            return Ok(true);
        }
        let lua = self.0.lua()?;
        lua.equals(self.0.val, lua.own(&other.0)?)
    }

    /// An address that names the object.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        std::ptr::without_provenance(self.0.address())
    }
}

/// The `T` in a userdata value.
pub(crate) fn cell_of<T: 'static>(v: Val) -> Result<Rc<UserDataCell<T>>> {
    let Some(u) = v.as_userdata() else {
        return Err(Error::from_lua_conversion(
            v.type_name(),
            short_name::<T>(),
            None,
        ));
    };
    match &u.data {
        None => Err(Error::UserDataDestructed),
        Some(data) => data
            .downcast_ref::<Rc<UserDataCell<T>>>()
            .cloned()
            .ok_or(Error::UserDataTypeMismatch),
    }
}

/// A type's name without its path.
pub(crate) fn short_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let plain = name.split('<').next().unwrap_or(name);
    plain.rsplit("::").next().unwrap_or(plain)
}

impl Lua {
    /// An object of the host's in Lua.
    pub fn create_userdata<T: UserData>(&self, object: T) -> Result<AnyUserData> {
        let meta = self.meta_of_type::<T>()?;
        self.new_userdata(object, meta)
    }

    /// The metatable of a type, which the registry of types keeps.
    fn meta_of_type<T: UserData>(&self) -> Result<Option<Gc<RawTable>>> {
        let meta = match self.0.types.known_val::<T>() {
            Some(meta) => meta,
            None => self.type_metatable::<T>(T::register)?.0.val,
        };
        Ok(meta.as_table())
    }

    /// A table with this metatable whose element 1 is an object of the host's: scripts can put fields of their own into it, for which it has room.
    /// The object is found again with [`super::Args::object_at`].
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// struct Socket;
    /// impl LuaUserData for Socket {}
    /// let lua = Lua::new();
    /// let table = lua.create_table_around(Socket, 4, &lua.create_table()?)?;
    /// assert!(table.get::<LuaAnyUserData>(1)?.is::<Socket>());
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn create_table_around<T: UserData>(
        &self,
        object: T,
        room: usize,
        metatable: &Table,
    ) -> Result<Table> {
        let type_meta = self.meta_of_type::<T>()?;
        let meta = self.own(&metatable.0)?.as_table();
        let data: Box<dyn Any> = Box::new(Rc::new(UserDataCell::new(object)));
        self.try_enter(|vm| {
            let t = vm.new_table_sized(1, room)?;
            let handle = self.handle(vm, Val::table(t));
            let u = Val::userdata(vm.new_userdata(data)?);
            vm.scratch.push(u);
            let stored = vm.table_set_int(t, 1, u);
            vm.scratch.pop();
            stored?;
            vm.set_metatable(u, type_meta)?;
            vm.set_metatable(Val::table(t), meta)?;
            Ok(Table(handle))
        })
    }

    /// An object of a type that knows nothing of Lua, with what `register_userdata_type` said of the type (or nothing).
    pub fn create_any_userdata<T: 'static>(&self, object: T) -> Result<AnyUserData> {
        let meta = self.0.types.known_val::<T>();
        self.new_userdata(object, meta.and_then(Val::as_table))
    }

    /// Says what objects of a type offer to Lua.
    pub fn register_userdata_type<T: 'static>(
        &self,
        register: impl FnOnce(&mut UserDataRegistry<T>),
    ) -> Result<()> {
        self.0.types.forget::<T>();
        self.type_metatable::<T>(register).map(drop)
    }

    /// `meta` is kept by the registry of types.
    fn new_userdata<T: 'static>(
        &self,
        object: T,
        meta: Option<Gc<RawTable>>,
    ) -> Result<AnyUserData> {
        let data: Box<dyn Any> = Box::new(Rc::new(UserDataCell::new(object)));
        self.try_enter(|vm| {
            let u = Val::userdata(vm.new_userdata(data)?);
            let handle = self.handle(vm, u);
            vm.set_metatable(u, meta)?;
            Ok(AnyUserData(handle))
        })
    }
}

impl fmt::Debug for AnyUserData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyUserData({:#x})", self.0.address())
    }
}
