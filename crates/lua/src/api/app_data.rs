//! Data that the embedding program keeps with a VM: one value of each type.
//!
//! **Invariant:** each value is shared with its borrows, so replacing or removing one that is borrowed takes it out of the
//! VM and leaves the borrow as it is.

use super::state::Lua;
use std::any::{Any, TypeId};
use std::cell::{Ref, RefCell, RefMut};
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Values by type.
pub(crate) type ByType<V> = HashMap<TypeId, V, BuildHasherDefault<TypeHasher>>;

/// The hash of a type's identity, which is one already.
#[derive(Default)]
pub(crate) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }
}

/// A value and its borrows.
pub(crate) type Shared = Rc<RefCell<Box<dyn Any>>>;

impl Lua {
    /// Keeps a value; returns the former one of the type (`None` if that is borrowed).
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// struct Hits(u32);
    /// let lua = Lua::new();
    /// lua.set_app_data(Hits(0));
    /// let hit = lua.create_function(|lua, ()| {
    ///     let mut hits = lua.app_data_mut::<Hits>().ok_or_else(|| LuaError::runtime("no hits"))?;
    ///     hits.0 += 1;
    ///     Ok(hits.0)
    /// })?;
    /// hit.call::<u32>(())?;
    /// assert_eq!(hit.call::<u32>(())?, 2);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn set_app_data<T: 'static>(&self, data: T) -> Option<T> {
        let new: Shared = Rc::new(RefCell::new(Box::new(data)));
        let old = self.0.app_data.borrow_mut().insert(TypeId::of::<T>(), new);
        old.and_then(unshare)
    }

    /// Borrows the value of a type; `None` if there is none or it is borrowed mutably.
    pub fn app_data_ref<T: 'static>(&self) -> Option<AppDataRef<T>> {
        let shared = self.shared::<T>()?;
        let guard = shared.try_borrow().ok()?;
        guard.downcast_ref::<T>()?;
        // SAFETY: the guard borrows from the cell, which `shared`, kept beside it and dropped after it, keeps in place.
        let guard = unsafe {
            std::mem::transmute::<Ref<'_, Box<dyn Any>>, Ref<'static, Box<dyn Any>>>(guard)
        };
        Some(AppDataRef {
            guard: ManuallyDrop::new(guard),
            shared: ManuallyDrop::new(shared),
            data: PhantomData,
        })
    }

    /// Borrows the value of a type mutably; `None` if there is none or it is borrowed.
    pub fn app_data_mut<T: 'static>(&self) -> Option<AppDataRefMut<T>> {
        let shared = self.shared::<T>()?;
        let guard = shared.try_borrow_mut().ok()?;
        guard.downcast_ref::<T>()?;
        // SAFETY: as in `app_data_ref`.
        let guard = unsafe {
            std::mem::transmute::<RefMut<'_, Box<dyn Any>>, RefMut<'static, Box<dyn Any>>>(guard)
        };
        Some(AppDataRefMut {
            guard: ManuallyDrop::new(guard),
            shared: ManuallyDrop::new(shared),
            data: PhantomData,
        })
    }

    /// Removes the value of a type; `None` if there is none or it is borrowed.
    pub fn remove_app_data<T: 'static>(&self) -> Option<T> {
        let old = self.0.app_data.borrow_mut().remove(&TypeId::of::<T>());
        old.and_then(unshare)
    }

    fn shared<T: 'static>(&self) -> Option<Shared> {
        self.0.app_data.borrow().get(&TypeId::of::<T>()).cloned()
    }
}

fn unshare<T: 'static>(shared: Shared) -> Option<T> {
    let data = Rc::try_unwrap(shared).ok()?.into_inner();
    data.downcast::<T>().ok().map(|data| *data)
}

macro_rules! guards {
    ($($(#[$doc:meta])* $name:ident $guard:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name<T: 'static> {
            guard: ManuallyDrop<$guard<'static, Box<dyn Any>>>,
            shared: ManuallyDrop<Shared>,
            data: PhantomData<T>,
        }
        impl<T: 'static> Drop for $name<T> {
            fn drop(&mut self) {
                // SAFETY: each is dropped here and nowhere else, the guard before the cell it borrows from.
                unsafe {
                    ManuallyDrop::drop(&mut self.guard);
                    ManuallyDrop::drop(&mut self.shared);
                }
            }
        }
        impl<T: 'static> Deref for $name<T> {
            type Target = T;
            fn deref(&self) -> &T {
                match self.guard.downcast_ref() {
                    Some(data) => data,
                    None => unreachable!("checked when the guard was made"),
                }
            }
        }
        impl<T: fmt::Debug + 'static> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )*};
}
guards! {
    /// A shared borrow of app data.
    AppDataRef Ref;
    /// A mutable borrow of app data.
    AppDataRefMut RefMut;
}

impl<T: 'static> DerefMut for AppDataRefMut<T> {
    fn deref_mut(&mut self) -> &mut T {
        match self.guard.downcast_mut() {
            Some(data) => data,
            None => unreachable!("checked when the guard was made"),
        }
    }
}
