//! Functions as Rust code holds them.

use super::convert::{FromLuaMulti, IntoLuaMulti};
use super::error::{Error, Result};
use super::state::{Handle, Lua};
use super::thread::AsyncCall;
use super::value::{Args, Value};
use crate::value::Val;
use std::fmt;

/// A Lua function, written in Lua or by the host.
///
/// ```
/// use rille_lua::prelude::*;
/// let lua = Lua::new();
/// let add: LuaFunction = lua.load("function(a, b) return a + b end").eval()?;
/// assert_eq!(add.call::<i64>((2, 3))?, 5);
/// let add2 = add.bind(2)?;
/// assert_eq!(add2.call::<i64>(40)?, 42);
/// # Ok::<(), LuaError>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Function(pub(crate) Handle);

/// What is known about a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionInfo {
    /// The name of a host function.
    pub name: Option<String>,
    /// `Lua`, `main` (a chunk) or `C` (a host function).
    pub what: &'static str,
    /// The chunk's name as it was given, for example `@file`.
    pub source: Option<String>,
    /// The chunk's name as messages show it.
    pub short_src: Option<String>,
    /// The line of `function`.
    pub line_defined: Option<usize>,
    /// The line of `end`.
    pub last_line_defined: Option<usize>,
    /// How many upvalues there are.
    pub num_upvalues: u8,
    /// How many parameters there are.
    pub num_params: u8,
    /// Whether the function takes `...`.
    pub is_vararg: bool,
}

impl Function {
    /// Calls the function to its end. It cannot yield: for that, make a coroutine of it.
    pub fn call<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> Result<R> {
        let lua = self.0.lua()?;
        lua.balanced(|_| {
            lua.try_enter(|vm| Lua::push_val(vm, self.0.val))?;
            finish_call(&lua, args)
        })
    }

    /// Calls the function in a coroutine of its own, which waits where an async function of the host does.
    ///
    /// ```
    /// use rille_lua::prelude::*;
    /// # fn block_on<T>(f: impl std::future::Future<Output = T>) -> T {
    /// #     let mut f = std::pin::pin!(f);
    /// #     let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     loop { if let std::task::Poll::Ready(v) = f.as_mut().poll(&mut cx) { return v; } }
    /// # }
    /// let lua = Lua::new();
    /// let ask = lua.create_async_function(|_, n: i64| async move { Ok(n * 2) })?;
    /// lua.globals().set("ask", ask)?;
    /// let f: LuaFunction = lua.load("function(n) return ask(n) + 1 end").eval()?;
    /// assert_eq!(block_on(f.call_async::<i64>(20))?, 41);
    /// # Ok::<(), LuaError>(())
    /// ```
    pub fn call_async<R: FromLuaMulti>(&self, args: impl IntoLuaMulti) -> AsyncCall<R> {
        AsyncCall::new(self, args)
    }

    /// A function that calls this one with these arguments in front of its own.
    pub fn bind(&self, args: impl IntoLuaMulti) -> Result<Function> {
        let lua = self.0.lua()?;
        let mut all = vec![Value::Function(self.clone())];
        all.extend(args.into_lua_multi(&lua)?);
        lua.create_bound(&all)
    }

    /// For a chunk's main function, another one of the same code, as if the chunk had been loaded again: what running the one
    /// does to its environment (`setfenv`, `module`, an assignment to `_ENV`) does not concern the other. Other functions
    /// are given back as they are.
    pub fn reload(&self) -> Result<Function> {
        let lua = self.0.lua()?;
        let main = self.0.val.as_lua_closure();
        let Some(main) = main.filter(|c| c.proto().function.line_defined == 0) else {
            return Ok(self.clone());
        };
        lua.try_enter(|vm| {
            let made = vm.reload(main)?;
            Ok(Function(lua.handle(vm, Val::lua_closure(made))))
        })
    }

    /// Whether a chunk's main function is as it was when it was loaded: it captures nothing but its environment, which is still the one that
    /// all chunks begin with, and which nothing but `setfenv` on the function itself can change. Then running it again is as good as running
    /// what [`Function::reload`] gives, as long as it does not run twice at a time.
    pub fn is_as_loaded(&self) -> bool {
        let Ok(lua) = self.0.lua() else { return false };
        let main = self.0.val.as_lua_closure();
        main.is_some_and(|main| {
            let code = &main.proto().function;
            let captured = &code.upvalues;
            code.line_defined == 0
                && captured.len() <= 1
                && captured.iter().all(|upvalue| upvalue.by_value)
                && lua
                    .enter(|vm| vm.environment_of(main).payload == vm.environment.addr())
                    .unwrap_or(false)
        })
    }

    /// What is known about the function.
    pub fn info(&self) -> FunctionInfo {
        if let (Some(def), Ok(_lua)) = (self.0.val.as_native(), self.0.lua()) {
            let count = self.0.val.as_native_closure().map_or(0, |c| c.count());
            return FunctionInfo {
                name: Some(def.name.to_owned()),
                what: "C",
                num_upvalues: count.min(255) as u8,
                is_vararg: true,
                ..FunctionInfo::default()
            };
        }
        let (Some(c), Ok(lua)) = (self.0.val.as_lua_closure(), self.0.lua()) else {
            return FunctionInfo::default();
        };
        let hidden = usize::from(!lua.dialect().has_env_variable());
        let f = &c.proto().function;
        FunctionInfo {
            name: None,
            what: if f.line_defined == 0 { "main" } else { "Lua" },
            source: Some(String::from_utf8_lossy(&f.source).into_owned()),
            short_src: Some(
                String::from_utf8_lossy(&crate::compiler::chunk_id(&f.source)).into_owned(),
            ),
            line_defined: Some(f.line_defined as usize),
            last_line_defined: Some(f.last_line_defined as usize),
            // The environment of a function of 5.1 is no captured variable.
            num_upvalues: (c.count() - hidden.min(c.count())).min(255) as u8,
            num_params: f.num_params,
            is_vararg: f.is_vararg,
        }
    }

    /// An address that names the function.
    pub fn to_pointer(&self) -> *const std::ffi::c_void {
        std::ptr::without_provenance(self.0.address())
    }
}

/// Calls any value, by `__call` if it is not a function.
pub(crate) fn call_value<R: FromLuaMulti>(
    lua: &Lua,
    f: &Value,
    args: impl IntoLuaMulti,
) -> Result<R> {
    lua.balanced(|_| {
        lua.push_value(f)?;
        finish_call(lua, args)
    })
}

/// Calls the function on top of the stack.
fn finish_call<R: FromLuaMulti>(lua: &Lua, args: impl IntoLuaMulti) -> Result<R> {
    let n = args.push_all(lua)?;
    let (from, count) = lua.enter(|vm| {
        let from = lua.call_pushed(vm, n)?;
        Ok::<_, Error>((from, vm.thread().top as usize - from))
    })??;
    R::from_args(
        &Args {
            lua,
            base: from,
            count,
        },
        0,
    )
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({:#x})", self.0.address())
    }
}
