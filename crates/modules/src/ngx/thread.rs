//! `ngx.thread`: light threads.
//!
//! ```lua
//! ngx.thread.spawn(f, ...)      --> a coroutine, which has run up to its first wait
//! ngx.thread.wait(t1, t2, ...)  --> true and the results, or false and the error, of the first that ends
//! ngx.thread.kill(t)            --> 1, or nil and why not
//! ```

use crate::answer::{no, type_name, yes};
use rille_lua::{Error, LuaString, MultiValue, Result, Table, Thread, Value, Variadic};
use rille_runtime::light::{Light, Threads};
use rille_runtime::vm::{AppVm, Context as Owner};
use std::future::poll_fn;
use std::rc::Rc;

const PRELUDE: &str = include_str!("thread.lua");

/// The table.
pub(super) fn table(vm: &Rc<AppVm>) -> Result<Table> {
    let lua = vm.lua();
    let globals = lua.globals();
    let tools = lua.create_table()?;
    let weak = Rc::downgrade(vm);
    let spawn = move |_: &rille_lua::Lua, (function, arguments): (_, MultiValue)| {
        let vm = weak.upgrade().ok_or(Error::MismatchedLua)?;
        let context = context(&vm)?;
        let light = Threads::spawn(&vm, &context, function, arguments)?;
        Ok((light.thread().clone(), context.has_exited()))
    };
    tools.raw_set("spawn", lua.create_function(spawn)?)?;
    // What has ended its request never runs again.
    let halt = lua.create_async_function(|_, ()| std::future::pending::<Result<()>>())?;
    tools.raw_set("halt", halt)?;
    status(vm)?;
    let weak = Rc::downgrade(vm);
    let wait = move |lua: rille_lua::Lua, threads: Variadic<Value>| {
        let prepared = weak.upgrade().ok_or(Error::MismatchedLua).and_then(|vm| {
            let context = context(&vm)?;
            let lights = lights(&lua, &context, &threads)?;
            Ok((context, lights))
        });
        async move {
            let (context, lights) = prepared?;
            let lights = match lights {
                Ok(lights) => lights,
                Err(why) => return no(&lua, why),
            };
            let threads = context.threads();
            let (_, outcome) = poll_fn(|cx| threads.poll_wait(&lights, cx)).await;
            match outcome {
                Ok(values) => Ok(values),
                Err(failure) => no_value(Value::String(lua.create_string(failure.to_string())?)),
            }
        }
    };
    tools.raw_set("wait", lua.create_async_function(wait)?)?;
    let weak = Rc::downgrade(vm);
    let kill = move |lua: &rille_lua::Lua, thread: Value| {
        let vm = weak.upgrade().ok_or(Error::MismatchedLua)?;
        let context = context(&vm)?;
        let Value::Thread(thread) = thread else {
            return Err(Error::runtime(format!(
                "bad argument #1 to 'kill' (lua thread expected, got {})",
                type_name(&thread)
            )));
        };
        match context.threads().find(&thread) {
            None => no(lua, "already waited or killed"),
            Some(light) if *light.parent() != lua.current_thread()? => no(lua, "killer not parent"),
            Some(light) if !light.is_running() => no(lua, "already terminated"),
            Some(light) => {
                context.threads().kill(&light);
                Ok(yes())
            }
        }
    };
    tools.raw_set("kill", lua.create_function(kill)?)?;
    let log = vm.log().clone();
    let debug: Table = globals.raw_get("debug")?;
    let traceback: rille_lua::Function = debug.raw_get("traceback")?;
    let report = move |lua: &rille_lua::Lua, message: Value| {
        let text: Option<LuaString> = lua.coerce_string(message.clone())?;
        let shown = match text {
            Some(text) => text.to_string_lossy(),
            None => format!("({} value)", message.type_name()),
        };
        let trace: LuaString = traceback.call((shown, 3))?;
        log.server(format_args!(
            "lua user thread aborted: runtime error: {}",
            trace.to_string_lossy()
        ));
        Ok(())
    };
    tools.raw_set("report", lua.create_function(report)?)?;
    for name in ["xpcall", "type", "error"] {
        tools.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    super::add_packing(lua, &tools)?;
    lua.load(PRELUDE)
        .set_name("=[rille]")
        .into_function()?
        .call(tools)
}

/// `coroutine.status`, which tells what light threads are: `running` also where they wait, `zombie` when they have ended and nobody has
/// waited for them.
fn status(vm: &Rc<AppVm>) -> Result<()> {
    let lua = vm.lua();
    let globals = lua.globals();
    let old: Table = globals.raw_get("coroutine")?;
    let coroutine = lua.create_table()?;
    for pair in old.pairs::<Value, Value>() {
        let (name, value) = pair?;
        coroutine.raw_set(name, value)?;
    }
    let original: rille_lua::Function = old.raw_get("status")?;
    let weak = Rc::downgrade(vm);
    let status = move |lua: &rille_lua::Lua, of: Value| -> Result<Value> {
        let context = weak.upgrade().and_then(|vm| vm.current().context());
        let light = match (&of, &context) {
            (Value::Thread(thread), Some(context)) => context.threads().find(thread),
            _ => None,
        };
        match light {
            Some(light) if light.is_running() => lua.create_string("running").map(Value::String),
            Some(light) if !light.is_over() => lua.create_string("zombie").map(Value::String),
            _ => original.call(of),
        }
    };
    coroutine.raw_set("status", lua.create_function(status)?)?;
    coroutine.freeze()?;
    globals.raw_set("coroutine", &coroutine)?;
    let package: Table = globals.raw_get("package")?;
    (package.raw_get::<Table>("loaded")?).raw_set("coroutine", coroutine)
}

fn context(vm: &AppVm) -> Result<Rc<dyn Owner>> {
    (vm.current().context()).ok_or_else(|| Error::runtime("no request found"))
}

/// The light threads that these values are; or why one cannot be waited for.
fn lights(
    lua: &rille_lua::Lua,
    context: &Rc<dyn Owner>,
    threads: &[Value],
) -> Result<std::result::Result<Vec<Rc<Light>>, &'static str>> {
    if threads.is_empty() {
        return Err(Error::runtime("at least one coroutine should be specified"));
    }
    let me: Thread = lua.current_thread()?;
    let mut lights = Vec::new();
    for (at, value) in (1..).zip(threads) {
        let Value::Thread(thread) = value else {
            return Err(Error::runtime(format!(
                "bad argument #{at} to 'wait' (lua thread expected, got {})",
                type_name(value)
            )));
        };
        match context.threads().find(thread) {
            None => return Ok(Err("already waited or killed")),
            Some(light) if *light.parent() != me => {
                return Err(Error::runtime(
                    "only the parent coroutine can wait on the thread",
                ));
            }
            Some(light) => lights.push(light),
        }
    }
    Ok(Ok(lights))
}

fn no_value(error: Value) -> Result<MultiValue> {
    Ok(MultiValue::from_vec(vec![Value::Boolean(false), error]))
}
