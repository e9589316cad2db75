//! What a host type offers to Lua, and how that becomes the metatable its objects share.
//!
//! A type with methods only gets a plain table as `__index`, so a method call costs no host call for the lookup. With
//! fields, `__index` is a native that looks at the getters, then the methods, then what the type defines itself ([`super::access`]).
//!
//! **Invariant:** a metatable is made once for each type and VM, and scripts do not get at it (`__metatable` is false).

use super::access::{index_function, new_index_function};
use super::cell::{UserDataCell, UserDataRef, UserDataRefMut};
use super::{AnyUserData, MetaMethod, cell_of, short_name};
use crate::api::app_data::ByType;
use crate::api::callback::{AnyHostFn, AsyncHostFn, HostFn, into_host_future, wrap, wrap_async};
use crate::api::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
use crate::api::error::{Error, Result};
use crate::api::state::{Handle, Lua};
use crate::api::table::Table;
use crate::api::value::{Args, Value};
use crate::value::Val;
use std::any::TypeId;
use std::cell::RefCell;
use std::collections::HashMap;
use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;

/// Metatables of host types by type, and of host errors.
#[derive(Default)]
pub(crate) struct TypeRegistry {
    types: RefCell<ByType<Table>>,
    error_meta: RefCell<Option<Handle>>,
}

impl TypeRegistry {
    pub(crate) fn known<T: 'static>(&self) -> Option<Table> {
        self.types.borrow().get(&TypeId::of::<T>()).cloned()
    }
    /// The metatable of a type as a raw value, rooted while the type is known.
    pub(crate) fn known_val<T: 'static>(&self) -> Option<Val> {
        let types = self.types.borrow();
        types.get(&TypeId::of::<T>()).map(|meta| meta.0.val)
    }
    pub(crate) fn forget<T: 'static>(&self) {
        let gone = self.types.borrow_mut().remove(&TypeId::of::<T>());
        drop(gone);
    }
    pub(crate) fn error_meta(&self) -> Option<Val> {
        self.error_meta.borrow().as_ref().map(|h| h.val)
    }
    pub(crate) fn set_error_meta(&self, handle: Handle) {
        *self.error_meta.borrow_mut() = Some(handle);
    }
}

/// Collects the methods of a type.
///
/// In all of these the arguments are converted ([`FromLuaMulti`]), and so are the results. `this` is borrowed for the length
/// of the call (of an async method: until it is ready).
pub trait UserDataMethods<T> {
    /// `object:name(...)`
    fn add_method<A, R>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(&Lua, &T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// `object:name(...)`, for a method that changes the object.
    fn add_method_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        method: impl FnMut(&Lua, &mut T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// `object:name(...)`, which waits.
    fn add_async_method<A, R, F>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(Lua, UserDataRef<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static;
    /// `object:name(...)`, which waits and changes the object.
    fn add_async_method_mut<A, R, F>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(Lua, UserDataRefMut<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static;
    /// `object.name(...)`: the object is not passed unless the script does.
    fn add_function<A, R>(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// As `add_function`, for a closure that changes what it holds.
    fn add_function_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        function: impl FnMut(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// `object.name(...)`, which waits.
    fn add_async_function<A, R, F>(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(Lua, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static;
    /// A metamethod; the object is the first operand.
    fn add_meta_method<A, R>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(&Lua, &T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A metamethod that changes the object.
    fn add_meta_method_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        method: impl FnMut(&Lua, &mut T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
    /// A metamethod that waits.
    fn add_async_meta_method<A, R, F>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(Lua, UserDataRef<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static;
    /// A metamethod that gets both operands as they are: the object may be the second.
    fn add_meta_function<A, R>(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti;
}

/// Collects the fields of a type.
pub trait UserDataFields<T> {
    /// A field with the same value in all objects.
    fn add_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static);
    /// `object.name`
    fn add_field_method_get<R: IntoLua>(
        &mut self,
        name: impl Into<String>,
        method: impl Fn(&Lua, &T) -> Result<R> + 'static,
    );
    /// `object.name = value`
    fn add_field_method_set<A: FromLua>(
        &mut self,
        name: impl Into<String>,
        method: impl FnMut(&Lua, &mut T, A) -> Result<()> + 'static,
    );
    /// `object.name`, given the userdata itself.
    fn add_field_function_get<R: IntoLua>(
        &mut self,
        name: impl Into<String>,
        function: impl Fn(&Lua, AnyUserData) -> Result<R> + 'static,
    );
    /// `object.name = value`, given the userdata itself.
    fn add_field_function_set<A: FromLua>(
        &mut self,
        name: impl Into<String>,
        function: impl FnMut(&Lua, AnyUserData, A) -> Result<()> + 'static,
    );
    /// A field of the metatable, such as `__name`.
    fn add_meta_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static);
}

type FieldMaker = Box<dyn FnOnce(&Lua) -> Result<Value>>;

/// Collects what a type offers, for [`super::UserData::register`].
pub struct UserDataRegistry<T> {
    methods: Vec<(String, AnyHostFn)>,
    metas: Vec<(String, AnyHostFn)>,
    meta_fields: Vec<(String, FieldMaker)>,
    fields: Vec<(String, FieldMaker)>,
    getters: HashMap<String, HostFn>,
    setters: HashMap<String, HostFn>,
    object: PhantomData<fn(&T)>,
}

impl<T> Default for UserDataRegistry<T> {
    fn default() -> Self {
        UserDataRegistry {
            methods: Vec::new(),
            metas: Vec::new(),
            meta_fields: Vec::new(),
            fields: Vec::new(),
            getters: HashMap::new(),
            setters: HashMap::new(),
            object: PhantomData,
        }
    }
}

/// The object that a method is called on: argument 0.
fn this<T: 'static>(args: &Args<'_>) -> Result<Rc<UserDataCell<T>>> {
    let v = args.val(0)?;
    cell_of(v).map_err(|e| {
        let e = match e {
            Error::UserDataTypeMismatch => {
                Error::from_lua_conversion("userdata", short_name::<T>(), None)
            }
            e => e,
        };
        e.at_argument(1)
    })
}

fn method<T: 'static, A: FromLuaMulti, R: IntoLuaMulti>(
    f: impl Fn(&Lua, &T, A) -> Result<R> + 'static,
) -> AnyHostFn {
    AnyHostFn::Sync(Rc::new(move |lua, args| {
        let this = UserDataRef::new(this::<T>(args)?)?;
        f(lua, &this, A::from_args(args, 1)?)?.push_all(lua)
    }))
}

fn method_mut<T: 'static, A: FromLuaMulti, R: IntoLuaMulti>(
    f: impl FnMut(&Lua, &mut T, A) -> Result<R> + 'static,
) -> AnyHostFn {
    let f = RefCell::new(f);
    AnyHostFn::Sync(Rc::new(move |lua, args| {
        let mut this = UserDataRefMut::new(this::<T>(args)?)?;
        let mut f = f.try_borrow_mut().map_err(|_| recursive())?;
        let results = f(lua, &mut this, A::from_args(args, 1)?)?;
        drop(this);
        results.push_all(lua)
    }))
}

fn recursive() -> Error {
    Error::runtime("a host function that changes its state called itself")
}

fn async_method<T: 'static, A, R, F>(f: impl Fn(Lua, UserDataRef<T>, A) -> F + 'static) -> AnyHostFn
where
    A: FromLuaMulti,
    R: IntoLuaMulti,
    F: Future<Output = Result<R>> + 'static,
{
    let f: AsyncHostFn = Rc::new(move |lua, args| {
        let this = UserDataRef::new(this::<T>(args)?)?;
        Ok(into_host_future(
            lua,
            f(lua.clone(), this, A::from_args(args, 1)?),
        ))
    });
    AnyHostFn::Async(f)
}

fn mutable<A: FromLuaMulti, R: IntoLuaMulti>(
    f: impl FnMut(&Lua, A) -> Result<R> + 'static,
) -> HostFn {
    let f = RefCell::new(f);
    wrap(move |lua, args: A| f.try_borrow_mut().map_err(|_| recursive())?(lua, args))
}

impl<T: 'static> UserDataMethods<T> for UserDataRegistry<T> {
    fn add_method<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, &T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.methods.push((name.into(), method(f)));
    }
    fn add_method_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl FnMut(&Lua, &mut T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.methods.push((name.into(), method_mut(f)));
    }
    fn add_async_method<A, R, F>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(Lua, UserDataRef<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        self.methods.push((name.into(), async_method(f)));
    }
    fn add_async_method_mut<A, R, F>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(Lua, UserDataRefMut<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        let f: AsyncHostFn = Rc::new(move |lua, args| {
            let this = UserDataRefMut::new(this::<T>(args)?)?;
            Ok(into_host_future(
                lua,
                f(lua.clone(), this, A::from_args(args, 1)?),
            ))
        });
        self.methods.push((name.into(), AnyHostFn::Async(f)));
    }
    fn add_function<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.methods.push((name.into(), AnyHostFn::Sync(wrap(f))));
    }
    fn add_function_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl FnMut(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.methods
            .push((name.into(), AnyHostFn::Sync(mutable(f))));
    }
    fn add_async_function<A, R, F>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(Lua, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        self.methods
            .push((name.into(), AnyHostFn::Async(wrap_async(f))));
    }
    fn add_meta_method<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, &T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.metas.push((name.into(), method(f)));
    }
    fn add_meta_method_mut<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl FnMut(&Lua, &mut T, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.metas.push((name.into(), method_mut(f)));
    }
    fn add_async_meta_method<A, R, F>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(Lua, UserDataRef<T>, A) -> F + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
        F: Future<Output = Result<R>> + 'static,
    {
        self.metas.push((name.into(), async_method(f)));
    }
    fn add_meta_function<A, R>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, A) -> Result<R> + 'static,
    ) where
        A: FromLuaMulti,
        R: IntoLuaMulti,
    {
        self.metas.push((name.into(), AnyHostFn::Sync(wrap(f))));
    }
}

impl<T: 'static> UserDataFields<T> for UserDataRegistry<T> {
    fn add_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static) {
        self.fields
            .push((name.into(), Box::new(move |lua| value.into_lua(lua))));
    }
    fn add_field_method_get<R: IntoLua>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, &T) -> Result<R> + 'static,
    ) {
        let get: HostFn = Rc::new(move |lua, args| {
            let this = UserDataRef::new(this::<T>(args)?)?;
            f(lua, &this)?.push_all(lua)
        });
        self.getters.insert(name.into(), get);
    }
    fn add_field_method_set<A: FromLua>(
        &mut self,
        name: impl Into<String>,
        f: impl FnMut(&Lua, &mut T, A) -> Result<()> + 'static,
    ) {
        let f = RefCell::new(f);
        let set: HostFn = Rc::new(move |lua, args| {
            let mut this = UserDataRefMut::new(this::<T>(args)?)?;
            let mut f = f.try_borrow_mut().map_err(|_| recursive())?;
            f(
                lua,
                &mut this,
                A::from_arg(args, 2).map_err(|e| e.at_argument(3))?,
            )?;
            Ok(0)
        });
        self.setters.insert(name.into(), set);
    }
    fn add_field_function_get<R: IntoLua>(
        &mut self,
        name: impl Into<String>,
        f: impl Fn(&Lua, AnyUserData) -> Result<R> + 'static,
    ) {
        let get: HostFn =
            Rc::new(move |lua, args| f(lua, AnyUserData::from_arg(args, 0)?)?.push_all(lua));
        self.getters.insert(name.into(), get);
    }
    fn add_field_function_set<A: FromLua>(
        &mut self,
        name: impl Into<String>,
        f: impl FnMut(&Lua, AnyUserData, A) -> Result<()> + 'static,
    ) {
        let f = RefCell::new(f);
        let set: HostFn = Rc::new(move |lua, args| {
            let mut f = f.try_borrow_mut().map_err(|_| recursive())?;
            f(
                lua,
                AnyUserData::from_arg(args, 0)?,
                A::from_arg(args, 2).map_err(|e| e.at_argument(3))?,
            )?;
            Ok(0)
        });
        self.setters.insert(name.into(), set);
    }
    fn add_meta_field(&mut self, name: impl Into<String>, value: impl IntoLua + 'static) {
        self.meta_fields
            .push((name.into(), Box::new(move |lua| value.into_lua(lua))));
    }
}

/// What the types themselves may not define: the collector's and the protection of the metatable.
const RESTRICTED: [&str; 3] = ["__gc", "__metatable", "__mode"];

impl<T: 'static> UserDataRegistry<T> {
    /// The metatable.
    fn build(mut self, lua: &Lua) -> Result<Table> {
        let named = self
            .metas
            .iter()
            .map(|m| &m.0)
            .chain(self.meta_fields.iter().map(|m| &m.0));
        if let Some(name) = named
            .clone()
            .find(|name| RESTRICTED.contains(&name.as_str()))
        {
            return Err(Error::MetaMethodRestricted(name.clone()));
        }
        let meta = lua.create_table()?;
        meta.raw_set(MetaMethod::Type.name(), short_name::<T>())?;
        meta.raw_set("__metatable", false)?;
        for (name, make) in std::mem::take(&mut self.meta_fields) {
            meta.raw_set(name, make(lua)?)?;
        }
        let mut own_index = None;
        let mut own_new_index = None;
        for (name, f) in std::mem::take(&mut self.metas) {
            match (name.as_str(), f) {
                ("__index", AnyHostFn::Sync(f)) => own_index = Some(f),
                ("__newindex", AnyHostFn::Sync(f)) => own_new_index = Some(f),
                (_, f) => meta.raw_set(name, lua.create_host_function(f)?)?,
            }
        }
        let methods = lua.create_table()?;
        for (name, f) in std::mem::take(&mut self.methods) {
            methods.raw_set(name, lua.create_host_function(f)?)?;
        }
        for (name, make) in std::mem::take(&mut self.fields) {
            methods.raw_set(name, make(lua)?)?;
        }
        if self.getters.is_empty() && own_index.is_none() {
            if !meta.contains_key("__index")? {
                meta.raw_set("__index", methods)?;
            }
        } else {
            let index = index_function(lua, self.getters, methods, own_index)?;
            meta.raw_set("__index", index)?;
        }
        if !self.setters.is_empty() || own_new_index.is_some() {
            let new_index = new_index_function(lua, self.setters, own_new_index)?;
            meta.raw_set("__newindex", new_index)?;
        }
        Ok(meta)
    }
}

impl Lua {
    /// The metatable of a type, made when first asked for.
    pub(crate) fn type_metatable<T: 'static>(
        &self,
        register: impl FnOnce(&mut UserDataRegistry<T>),
    ) -> Result<Table> {
        if let Some(meta) = self.0.types.known::<T>() {
            return Ok(meta);
        }
        let mut registry = UserDataRegistry::<T>::default();
        register(&mut registry);
        let meta = registry.build(self)?;
        self.0
            .types
            .types
            .borrow_mut()
            .insert(TypeId::of::<T>(), meta.clone());
        Ok(meta)
    }
}
