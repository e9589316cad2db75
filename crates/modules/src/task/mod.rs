//! `task`: Erlang-like processes (see `rille_runtime::task`).
//!
//! ```lua
//! task.spawn(name, ...)               --> a task's id, or nil and why not; tasks/NAME.lua, or the global function NAME of main.lua
//! task.self(), task.parent()          --> an id, or nil
//! task.alive(tid)                     --> true or false
//! task.send(tid | name, what, param)  --> true, or nil and why not
//! task.receive([seconds])             --> {what, sender, parameter}, or nil when the time is over; 0 polls
//! task.receive{what=, sender=, timeout=}  --> the first event like that; the others stay, in their order
//! task.waiting()                      --> how many events wait
//! task.monitor(tid), task.demonitor(tid)  -- an event `task-stopped` of that sender, with the reason as its parameter
//! task.link(tid), task.unlink(tid), task.trap_exits(on)
//! task.kill(tid)                      --> true, or false if there is none
//! task.register(name), task.unregister(name), task.whereis(name), task.count()
//! ```
//!
//! A request (and what else is no task: `init.lua`, `ngx.timer`) has a mailbox too, from when it first sends or asks for `task.self()`: it
//! can ask a task something and wait for the answer, within its own time limit.
//!
//! When another version of the app takes the place of a task's own, it gets an event `deploy`, without sender and parameter. It may end what it does; when
//! `[deploy] grace` of the manifest is over, it is killed. The new version's tasks have mailboxes, names and ids of their own: nothing is sent from
//! one version to another.
//!
//! An id is a whole number. Messages are copied; they carry nil, booleans, numbers, strings, tables and light userdata. Metatables stay
//! behind (not the markers of `json`).
//!
//! **Invariant:** what is called often is native and parks without a future; it works on what `rille_runtime::task` keeps.

mod calls;

use crate::answer::no;
use rille_lua::function::{Cost, NativeDef};
use rille_lua::native::{Ctx, NativeResult, Thrown, to_integer};
use rille_lua::value::Val;
use rille_lua::{Error, Function, Lua, MultiValue, Result, Table, Value};
use rille_runtime::task::{Refused, Selector, Tasks, Tid, Wait};
use rille_runtime::vm::AppVm;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

/// The longest wait, in seconds; a longer one is for ever.
const MAX_SECONDS: f64 = 3.0e8;
/// The longest `sleep`, as everywhere.
const MAX_SLEEP: f64 = 86_400.0;
/// Arguments of a task.
const MAX_ARGUMENTS: usize = 250;

static SEND: NativeDef = NativeDef::new("send", send, Cost::Slots);
static RECEIVE: NativeDef = NativeDef::new("receive", receive, Cost::Slots);
static SELF: NativeDef = NativeDef::new("self", this, Cost::Constant);
static KILL: NativeDef = NativeDef::new("kill", kill, Cost::Constant);
static SLEEP: NativeDef = NativeDef::new("sleep", sleep, Cost::Constant);

/// Installs the `task` table, the names of call control, and a `sleep` that parks tasks.
pub(crate) fn install(vm: &Rc<AppVm>) -> Result<()> {
    let (lua, tasks) = (vm.lua(), vm.tasks());
    let globals = lua.globals();
    let table = lua.create_table()?;
    let object = lua.create_host_object(tasks.clone())?;
    for def in [&SEND, &SELF, &KILL] {
        let native = lua.create_native_closure(def, std::slice::from_ref(&object))?;
        table.raw_set(def.name, native)?;
    }
    let outside = Value::Function(receive_outside(lua, tasks)?);
    let receive = lua.create_native_closure(&RECEIVE, &[object.clone(), outside])?;
    table.raw_set(RECEIVE.name, receive)?;
    let waits: Value = globals.raw_get("sleep")?;
    let sleep = lua.create_native_closure(&SLEEP, &[object, waits])?;
    globals.raw_set("sleep", sleep)?;
    add_functions(lua, tasks, &table)?;
    calls::install(lua, &table)?;
    table.freeze()?;
    globals.raw_set("task", &table)?;
    let package: Table = globals.raw_get("package")?;
    let loaded: Table = package.raw_get("loaded")?;
    loaded.raw_set("task", table)
}

fn tasks(ctx: &mut Ctx<'_>) -> std::result::Result<Rc<Tasks>, Thrown> {
    match ctx.host_object::<Rc<Tasks>>(0) {
        Some(tasks) => Ok(tasks),
        None => Err(ctx.error("the Lua state is being closed")),
    }
}

/// The task that an argument means: an id, or a name.
fn task_of(
    ctx: &mut Ctx<'_>,
    tasks: &Tasks,
    i: usize,
) -> std::result::Result<std::result::Result<Tid, String>, Thrown> {
    let v = ctx.arg(i);
    if let Some(name) = v.as_str() {
        let name = String::from_utf8_lossy(name.as_bytes());
        let shown = || format!("no task is registered as '{}'", name.escape_debug());
        return Ok(tasks.whereis(&name).ok_or_else(shown));
    }
    match to_integer(v) {
        Some(number) => Ok(Tid::from_integer(number).ok_or_else(|| "no such task".to_owned())),
        None => Err(ctx.type_error(i, "task")),
    }
}

fn send(ctx: &mut Ctx<'_>) -> NativeResult {
    let tasks = tasks(ctx)?;
    let to = match task_of(ctx, &tasks, 0)? {
        Ok(to) => to,
        Err(why) => return ctx.ret_fail(&why),
    };
    let what = ctx.check_str(1)?;
    match tasks.send(ctx, to, what, ctx.arg(2))? {
        Ok(()) => ctx.ret(Val::TRUE),
        Err(refused) => fail(ctx, &refused),
    }
}

#[cold]
fn fail(ctx: &mut Ctx<'_>, refused: &Refused) -> NativeResult {
    ctx.ret_fail(&refused.to_string())
}

fn receive(ctx: &mut Ctx<'_>) -> NativeResult {
    let tasks = tasks(ctx)?;
    if !ctx.can_park() || !tasks.has_turn() {
        if tasks.is_in_task() {
            let why = "a light thread or timer of a task cannot receive: only the task itself can";
            return Err(ctx.error(why));
        }
        let (outside, options) = (ctx.upvalue(1), ctx.arg(0));
        ctx.push(outside);
        ctx.push(options);
        return ctx.tail_call(1);
    }
    let (selector, timeout) = match ctx.arg(0).as_table() {
        None => {
            let timeout = timeout_of(ctx, ctx.arg(0))?;
            ctx.resize_args(0)?;
            (ANY, timeout)
        }
        Some(options) => {
            let mut found = [Val::NIL; 3];
            for (place, name) in found.iter_mut().zip(["what", "sender", "timeout"]) {
                ctx.push_str(name.as_bytes())?;
                let key = ctx.pop();
                *place = ctx.raw_get(options, key);
            }
            let [what, sender, timeout] = found;
            let timeout = timeout_of(ctx, timeout)?;
            ctx.resize_args(2)?;
            ctx.set_arg(0, what);
            ctx.set_arg(1, sender);
            (Selector { what, sender }, timeout)
        }
    };
    let wait = tasks.receive(ctx, selector, timeout)?;
    received(ctx, wait)
}

/// `receive` of a request, or of whatever else is no task: it waits for a future.
fn receive_outside(lua: &Lua, tasks: &Rc<Tasks>) -> Result<Function> {
    let weak = Rc::downgrade(tasks);
    lua.create_async_function(move |lua, options: Value| {
        let prepared = weak
            .upgrade()
            .ok_or(Error::MismatchedLua)
            .and_then(|tasks| {
                let (what, sender, timeout) = options_of(options)?;
                let me = (tasks.current_or_guest())
                    .ok_or_else(|| Error::runtime("there is no mailbox here: too many tasks"))?;
                Ok((me, what, sender, timeout))
            });
        let (lua, weak) = (lua.weak(), weak.clone());
        async move {
            let (me, what, sender, timeout) = prepared?;
            let next = poll_fn(move |cx| match (lua.upgrade(), weak.upgrade()) {
                (Some(lua), Some(tasks)) => tasks.poll_guest(&lua, me, &what, &sender, cx),
                _ => Poll::Ready(Err(Error::MismatchedLua)),
            });
            match timeout {
                None => next.await,
                Some(timeout) => tokio::time::timeout(timeout, next)
                    .await
                    .unwrap_or(Ok(Value::Nil)),
            }
        }
    })
}

/// What `receive` is asked for: `what`, `sender` and the time.
fn options_of(options: Value) -> Result<(Value, Value, Option<Duration>)> {
    let (what, sender, seconds) = match options {
        Value::Table(options) => (
            options.raw_get("what")?,
            options.raw_get("sender")?,
            options.raw_get("timeout")?,
        ),
        seconds => (Value::Nil, Value::Nil, seconds),
    };
    let seconds = match seconds {
        Value::Nil => return Ok((what, sender, None)),
        Value::Integer(seconds) => seconds as f64,
        Value::Number(seconds) if !seconds.is_nan() => seconds,
        _ => {
            return Err(Error::runtime(
                "bad argument #1 to 'receive' (a number of seconds expected)",
            ));
        }
    };
    let time = (seconds <= MAX_SECONDS).then(|| Duration::from_secs_f64(seconds.max(0.0)));
    Ok((what, sender, time))
}

const ANY: Selector = Selector {
    what: Val::NIL,
    sender: Val::NIL,
};

/// Seconds as a time; `None`: as long as it takes.
fn timeout_of(ctx: &mut Ctx<'_>, v: Val) -> std::result::Result<Option<Duration>, Thrown> {
    if v.is_nil() {
        return Ok(None);
    }
    match rille_lua::native::to_number(v).map(|number| number.to_f64()) {
        Some(seconds) if seconds > MAX_SECONDS => Ok(None),
        Some(seconds) if !seconds.is_nan() => Ok(Some(Duration::from_secs_f64(seconds.max(0.0)))),
        Some(_) => Err(ctx.arg_error(0, "a number of seconds expected")),
        None if ctx.arg(0).is_table() => {
            Err(ctx.arg_error(0, "'timeout' is not a number of seconds"))
        }
        None => Err(ctx.type_error(0, "number")),
    }
}

fn received(ctx: &mut Ctx<'_>, wait: Wait) -> NativeResult {
    match wait {
        Wait::Event(event) => ctx.ret(event),
        Wait::Late => ctx.ret(Val::NIL),
        Wait::Park => ctx.park(receive_again),
    }
}

fn receive_again(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.nresults() > 0 {
        // It was handed over.
        let event = ctx.result(0);
        return ctx.ret(event);
    }
    let tasks = tasks(ctx)?;
    let (what, sender) = (ctx.arg(0), ctx.arg(1));
    let wait = tasks.receive_again(ctx, Selector { what, sender })?;
    received(ctx, wait)
}

fn this(ctx: &mut Ctx<'_>) -> NativeResult {
    let tasks = tasks(ctx)?;
    let tid = tasks.sender(ctx);
    ctx.ret(tid.map_or(Val::NIL, |tid| Val::int(tid.to_integer())))
}

fn kill(ctx: &mut Ctx<'_>) -> NativeResult {
    let tasks = tasks(ctx)?;
    let killed = match task_of(ctx, &tasks, 0)? {
        Ok(tid) => tasks.kill(tid),
        Err(_) => false,
    };
    ctx.push(Val::bool(killed));
    if tasks.is_dying() {
        // It has killed itself: its slice is over, and there is no other.
        ctx.charge(ctx.steps_left() as usize);
        return ctx.pause(|ctx| ctx.ret(Val::TRUE));
    }
    ctx.ret(Val::bool(killed))
}

/// `sleep`, which waits for a future elsewhere.
fn sleep(ctx: &mut Ctx<'_>) -> NativeResult {
    let tasks = tasks(ctx)?;
    let seconds = rille_lua::native::to_number(ctx.arg(0)).map(|number| number.to_f64());
    if let Some(seconds) = seconds
        && ctx.can_park()
        && (0.0..=MAX_SLEEP).contains(&seconds)
        && tasks.sleep(Duration::from_secs_f64(seconds))
    {
        ctx.resize_args(0)?;
        return ctx.park(|ctx| ctx.ret0());
    }
    let (waits, n) = (ctx.upvalue(1), ctx.nargs());
    ctx.push(waits);
    for i in 0..n.min(8) {
        let v = ctx.arg(i);
        ctx.push(v);
    }
    ctx.tail_call(n.min(8))
}

/// The rest, which is not called a million times a second.
fn add_functions(lua: &Lua, tasks: &Rc<Tasks>, table: &Table) -> Result<()> {
    type Pair = (Option<i64>, Option<String>);
    let add = |name: &str, function: Function| table.raw_set(name, function);
    let t = tasks.clone();
    let spawn = move |lua: &Lua, (name, arguments): (String, MultiValue)| {
        let arguments = arguments.into_vec();
        if arguments.len() > MAX_ARGUMENTS {
            return Err(Error::runtime(format!(
                "a task has at most {MAX_ARGUMENTS} arguments"
            )));
        }
        lua.charge_fuel(200);
        Ok::<Pair, Error>(match t.spawn(&name, &arguments)? {
            Ok(tid) => (Some(tid.to_integer()), None),
            Err(refused) => (None, Some(refused.to_string())),
        })
    };
    // What succeeds is one value.
    let spawn = lua.create_function(move |lua, arguments| match spawn(lua, arguments)? {
        (Some(tid), _) => Ok(MultiValue::from_vec(vec![Value::Integer(tid)])),
        (None, why) => no(lua, why.unwrap_or_default()),
    })?;
    add("spawn", spawn)?;
    let t = tasks.clone();
    add(
        "parent",
        lua.create_function(move |_, ()| Ok(t.parent().map(Tid::to_integer)))?,
    )?;
    let t = tasks.clone();
    let alive = lua.create_async_function(move |_, value: Value| {
        let found = id(&t, &value);
        let here = found.and_then(|tid| t.is_alive(tid));
        let asked = match (found, here) {
            (Some(tid), None) => Some(t.ask_alive(tid)),
            _ => None,
        };
        async move {
            Ok(match asked {
                Some(answer) => answer.await.unwrap_or(false),
                None => here.unwrap_or(false),
            })
        }
    })?;
    let t = tasks.clone();
    let alive_here = lua.create_function(move |_, value: Value| {
        let found = id(&t, &value);
        Ok(found.map_or(Some(false), |tid| t.is_alive(tid)))
    })?;
    const ALIVE: &str = "\
local here, elsewhere = ...
return function(task)
  local alive = here(task)
  if alive == nil then alive = elsewhere(task) end
  return alive
end";
    let alive: Function = prelude(lua, ALIVE, (alive_here, alive))?;
    add("alive", alive)?;
    type Tie = fn(&Rc<Tasks>, Tid) -> std::result::Result<(), &'static str>;
    let ties: [(&str, Tie); 2] = [("monitor", Tasks::monitor), ("link", Tasks::link)];
    for (name, tie) in ties {
        let t = tasks.clone();
        let function = lua.create_function(move |_, value: Value| {
            let Some(tid) = id(&t, &value) else {
                return Err(Error::runtime(format!(
                    "bad argument #1 to '{name}' (task expected)"
                )));
            };
            tie(&t, tid).map_err(Error::runtime)?;
            Ok(true)
        })?;
        add(name, function)?;
    }
    type Cut = fn(&Tasks, Tid) -> bool;
    let cuts: [(&str, Cut); 2] = [("demonitor", Tasks::demonitor), ("unlink", Tasks::unlink)];
    for (name, cut) in cuts {
        let t = tasks.clone();
        let function = lua.create_function(move |_, value: Value| {
            Ok(id(&t, &value).is_some_and(|tid| cut(&t, tid)))
        })?;
        add(name, function)?;
    }
    let t = tasks.clone();
    add(
        "trap_exits",
        lua.create_function(move |_, on: Option<bool>| Ok(t.trap_exits(on.unwrap_or(true))))?,
    )?;
    let t = tasks.clone();
    let register = move |lua: &Lua, (name, tid): (String, Option<Value>)| {
        let tid = match tid {
            Some(value) => id(&t, &value),
            None => t.current(),
        };
        let done = match tid {
            Some(tid) => t.register(&name, tid, false),
            None => Err("no such task".to_owned()),
        };
        match done {
            Ok(()) => Ok(MultiValue::from_vec(vec![Value::Boolean(true)])),
            Err(why) => no(lua, &why),
        }
    };
    add("register", lua.create_function(register)?)?;
    let t = tasks.clone();
    add(
        "unregister",
        lua.create_function(move |_, name: String| Ok(t.unregister(&name)))?,
    )?;
    let t = tasks.clone();
    let whereis = move |_: &Lua, name: String| Ok(t.whereis(&name).map(Tid::to_integer));
    add("whereis", lua.create_function(whereis)?)?;
    let t = tasks.clone();
    add(
        "count",
        lua.create_function(move |_, ()| Ok(t.count() as i64))?,
    )?;
    let t = tasks.clone();
    add(
        "waiting",
        lua.create_function(move |_, ()| Ok(t.waiting() as i64))?,
    )
}

/// The task that a value is, or names.
fn id(tasks: &Tasks, value: &Value) -> Option<Tid> {
    match value {
        Value::Integer(number) => Tid::from_integer(*number),
        Value::Number(number) if number.fract() == 0.0 && *number < 1e16 => {
            Tid::from_integer(*number as i64)
        }
        Value::String(name) => tasks.whereis(&name.to_string_lossy()),
        _ => None,
    }
}

/// What a chunk of ours returns.
fn prelude<R: rille_lua::FromLuaMulti>(
    lua: &Lua,
    source: &str,
    arguments: impl rille_lua::IntoLuaMulti,
) -> Result<R> {
    lua.load(source)
        .set_name("=[rille]")
        .into_function()?
        .call(arguments)
}
