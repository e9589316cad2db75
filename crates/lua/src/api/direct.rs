//! Host functions that are called often: arguments looked at where they lie, and an answer at once or a future.
//!
//! A function made with `create_function` has its arguments converted, for which strings, tables and objects of the host get handles; a list of
//! values is a list of handles. What is called a few times for every request does without: it looks at its [`Args`] on the stack.
//!
//! **Invariant:** what is looked at without a handle is not kept: the stack keeps it alive as long as the call lasts, and no longer.

use super::callback::{PROMPT_HOST_FUNCTION, Prompt, PromptHostFn, into_host_future};
use super::convert::{IntoLua, IntoLuaMulti};
use super::error::Result;
use super::function::Function;
use super::multi::MultiValue;
use super::state::Lua;
use super::table::storage;
use super::thread::HostFuture;
use super::userdata::{UserDataRef, cell_of};
use super::value::{Args, Glance, Value};
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// What a function made with [`Lua::create_direct_function`] answers.
pub enum Reply<R> {
    /// Its results.
    Now(R),
    /// It has to wait: what this gives.
    Later(HostFuture),
}

impl<R: IntoLuaMulti> Reply<R> {
    /// What a future gives. It is not polled before the coroutine waits.
    pub fn later(lua: &Lua, future: impl Future<Output = Result<R>> + 'static) -> Reply<R> {
        Reply::Later(into_host_future(lua, future))
    }

    /// What a future gives, which may be there already: it is polled once. Until it has waited, it must not call Lua functions that wait.
    pub fn prompt(
        lua: &Lua,
        future: impl Future<Output = Result<R>> + 'static,
    ) -> Result<Reply<R>> {
        let mut future = Box::pin(future);
        let mut nobody = Context::from_waker(Waker::noop());
        match future.as_mut().poll(&mut nobody) {
            Poll::Ready(results) => results.map(Reply::Now),
            Poll::Pending => Ok(Reply::later(lua, future)),
        }
    }
}

/// A string of these bytes, as a result: it is made where it goes, without a handle.
pub struct Octets<'a>(pub &'a [u8]);

impl IntoLua for Octets<'_> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_string(self.0).map(Value::String)
    }
    fn push_into(self, lua: &Lua) -> Result<()> {
        lua.push_bytes(self.0)
    }
}

impl Args<'_> {
    /// The VM.
    pub fn lua(&self) -> &Lua {
        self.lua
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The one at `i`, counted from 0; nil if there are not so many.
    pub fn get(&self, i: usize) -> Result<Value> {
        self.value(i)
    }

    /// All of them.
    pub fn all(&self) -> Result<MultiValue> {
        self.values_from(0)
    }

    /// Calls `f` with the one at `i`, counted from 0. `f` cannot use the VM.
    pub fn glance<R>(&self, i: usize, f: impl FnOnce(Glance<'_>) -> R) -> Result<R> {
        let v = self.val(i)?;
        self.lua.enter(|_| f(Glance::at(self.lua, &v)))
    }

    /// The number that the one at `i` is or converts to, as [`Lua::coerce_number`] says.
    pub fn number(&self, i: usize) -> Result<Option<f64>> {
        let v = self.val(i)?;
        self.lua
            .enter(|_| crate::native::to_number(v).map(crate::number::Number::to_f64))
    }

    /// The host's object that is element `key` of the table at `i`; `None`: there is no such object, or it is borrowed mutably.
    pub fn object_at<T: 'static>(&self, i: usize, key: i64) -> Result<Option<UserDataRef<T>>> {
        let v = self.val(i)?;
        self.lua.enter(|vm| {
            let object = storage(vm, v.as_table()?).get_int(key);
            let cell = object.as_userdata().and_then(|_| cell_of(object).ok())?;
            UserDataRef::new(cell).ok()
        })
    }
}

impl Lua {
    /// A function of the host's for what is called often: it looks at its arguments where they lie, and returns its results at once or, where it has
    /// to wait, a future.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// use rille_lua::{Glance, Reply};
    /// let lua = Lua::new();
    /// let length = lua.create_direct_function(|args| {
    ///     let length = args.glance(0, |value| match value {
    ///         Glance::String(text) => Some(text.len()),
    ///         _ => None,
    ///     })?;
    ///     Ok(Reply::Now(length))
    /// })?;
    /// lua.globals().set("length", length)?;
    /// assert_eq!(lua.load("length('four')").eval::<i64>()?, 4);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn create_direct_function<R: IntoLuaMulti>(
        &self,
        f: impl Fn(&Args<'_>) -> Result<Reply<R>> + 'static,
    ) -> Result<Function> {
        let f: PromptHostFn = Rc::new(move |lua, args| match f(args)? {
            Reply::Now(results) => results.push_all(lua).map(Prompt::Ready),
            Reply::Later(future) => Ok(Prompt::Waits(future)),
        });
        self.create_closure_of(&PROMPT_HOST_FUNCTION, Box::new(f))
    }
}
