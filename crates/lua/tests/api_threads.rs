//! Coroutines from the host: slices, waiting, stopping, layered globals, limits.

use rille_lua::{
    Error, Function, Lua, LuaOptions, MultiValue, Outcome, Profile, Result, StopReason, Table,
    Thread, ThreadStatus, Value,
};
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

/// A future that is ready at the second look.
struct Later(bool);
impl Future for Later {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        cx.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn thread(lua: &Lua, code: &str) -> Result<Thread> {
    lua.create_thread(lua.load(code).set_name("=t").into_function()?)
}

fn values(outcome: Outcome) -> Vec<Value> {
    match outcome {
        Outcome::Done(values) | Outcome::Yielded(values) => values.into_vec(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn yields_and_results() -> Result<()> {
    let lua = Lua::new();
    let t = thread(
        &lua,
        "local a, b = ... local c = coroutine.yield(a + b) return c, 'end'",
    )?;
    assert_eq!(t.status(), ThreadStatus::Resumable);
    assert_eq!(
        values(t.resume_with_fuel((1, 2), 1000)),
        [Value::Integer(3)]
    );
    let last = values(t.resume_with_fuel("c", 1000));
    assert_eq!(last.len(), 2);
    assert_eq!(t.status(), ThreadStatus::Finished);
    assert!(matches!(
        t.resume_with_fuel((), 1000),
        Outcome::Error(Error::CoroutineUnresumable)
    ));
    assert!(matches!(
        t.continue_with_fuel(1),
        Outcome::Error(Error::CoroutineUnresumable)
    ));
    assert!(matches!(
        t.complete(Ok(MultiValue::new()), 1),
        Outcome::Error(Error::CoroutineUnresumable)
    ));
    Ok(())
}

#[test]
fn preemption_is_invisible() -> Result<()> {
    let lua = Lua::new();
    let code = "local s = 0
        for i = 1, 2000 do
            s = s + select(2, pcall(function(x) return x % 7 end, i))
            local t = {3, 1, 2}
            table.sort(t, function(a, b) return a < b end)
            s = s + #string.gsub('abc', '%w', function(c) return c .. c end)
            local co = coroutine.wrap(function(a) a = coroutine.yield(a) return a end)
            s = s + co(1) + co(2)
        end
        return s";
    let expected = lua.load(code).eval::<i64>()?;
    for fuel in [1, 7, 100, 12_345] {
        let t = thread(&lua, code)?;
        let mut slices = 1;
        let mut outcome = t.resume_with_fuel((), fuel);
        while matches!(outcome, Outcome::Preempted) {
            assert_eq!(t.status(), ThreadStatus::Waiting);
            outcome = t.continue_with_fuel(fuel);
            slices += 1;
        }
        assert_eq!(values(outcome), [Value::Integer(expected)], "{fuel}");
        assert!(slices > 10, "{slices} slices of {fuel}");
    }
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn waiting_for_the_host() -> Result<()> {
    let lua = Lua::new();
    let double = lua.create_async_function(|_, n: i64| async move {
        Later(false).await;
        if n < 0 {
            Err(Error::runtime("negative"))
        } else {
            Ok((n * 2, "ok"))
        }
    })?;
    lua.globals().set("double", double)?;
    let t = thread(
        &lua,
        "local co = coroutine.wrap(function(n) local r, s = double(n) return r .. s end)\nreturn co(21)",
    )?;
    let Outcome::Pending(future) = t.resume_with_fuel((), 1000) else {
        panic!()
    };
    assert_eq!(t.status(), ThreadStatus::Waiting);
    assert!(t.is_pending());
    assert_eq!(t.current_line(), Some(("t".to_owned(), 1)));
    assert!(
        t.traceback().contains("in function 'double'"),
        "{}",
        t.traceback()
    );
    assert!(
        matches!(
            t.continue_with_fuel(10),
            Outcome::Error(Error::CoroutineUnresumable)
        ),
        "it is not preempted"
    );
    let done = t.complete(block_on(future), 1000);
    assert_eq!(values(done)[0].to_string()?, "42ok");

    let t = thread(
        &lua,
        "local ok, m = pcall(double, -1)\nreturn m, double(-2)",
    )?;
    let Outcome::Pending(future) = t.resume_with_fuel((), 1000) else {
        panic!()
    };
    let Outcome::Pending(future) = t.complete(block_on(future), 1000) else {
        panic!()
    };
    let Outcome::Error(e) = t.complete(block_on(future), 1000) else {
        panic!()
    };
    assert_eq!(e.message(), "t:2: negative");
    assert!(e.traceback().unwrap().contains("t:2:"), "{e}");
    // Where nobody waits it is an error.
    let e = lua.load("double(1)").exec().unwrap_err();
    assert!(e.message().contains("attempt to wait outside"), "{e}");
    let e = thread(&lua, "double(1)")?.resume::<()>(()).unwrap_err();
    assert!(e.message().contains("attempt to wait outside"), "{e}");
    Ok(())
}

#[test]
fn calls_as_futures() -> Result<()> {
    let lua = Lua::new();
    let log: Rc<RefCell<Vec<i64>>> = Rc::default();
    let seen = log.clone();
    let wait = lua.create_async_function(move |lua, n: i64| {
        let seen = seen.clone();
        async move {
            Later(false).await;
            seen.borrow_mut().push(n);
            lua.create_table_from([("n", n)])
        }
    })?;
    lua.globals().set("wait", wait)?;
    let f: Function = lua
        .load("function(a) for i = 1, 100000 do a = a + 1 end return wait(a).n + wait(1).n end")
        .eval()?;
    assert_eq!(block_on(f.call_async::<i64>(5))?, 100_006);
    assert_eq!(*log.borrow(), [100_005, 1]);
    block_on(lua.load("wait(3)").exec_async())?;
    assert_eq!(block_on(lua.load("wait(4).n").eval_async::<i64>())?, 4);
    assert!(block_on(lua.load("x =").exec_async()).is_err());
    let e = block_on(lua.load("coroutine.yield(1)").exec_async()).unwrap_err();
    assert!(e.message().contains("outside a coroutine"), "{e}");
    // A call that is dropped closes what it holds.
    lua.globals().set("closed", false)?;
    let mut call = Box::pin(
        lua.load(
            "local x <close> = setmetatable({}, {__close = function() closed = true end}) wait(1)",
        )
        .exec_async(),
    );
    let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    drop(call);
    assert!(lua.globals().get::<bool>("closed")?);
    Ok(())
}

#[test]
fn async_methods() -> Result<()> {
    struct Socket(i64);
    impl rille_lua::UserData for Socket {
        fn add_methods<M: rille_lua::UserDataMethods<Self>>(methods: &mut M) {
            methods.add_async_method("read", |_, this, n: i64| async move {
                Later(false).await;
                Ok(this.0 + n)
            });
            methods.add_async_method_mut("write", |_, mut this, n: i64| async move {
                Later(false).await;
                this.0 = n;
                Ok(())
            });
        }
    }
    let lua = Lua::new();
    lua.globals().set("s", Socket(40))?;
    assert_eq!(
        block_on(
            lua.load("s:write(1) return s:read(2)")
                .call_async::<i64>(())
        )?,
        3
    );
    Ok(())
}

#[test]
fn termination_cannot_be_caught() -> Result<()> {
    let lua = Lua::new();
    lua.load("closed = 0").exec()?;
    let t = thread(
        &lua,
        "local x <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
         while true do
             pcall(function()
                 local y <close> = setmetatable({}, {__close = function() closed = closed + 10 end})
                 coroutine.wrap(function() while true do end end)()
             end)
         end",
    )?;
    assert!(matches!(t.resume_with_fuel((), 10_000), Outcome::Preempted));
    t.terminate(StopReason::CpuTime, 10_000);
    assert_eq!(t.status(), ThreadStatus::Finished);
    assert_eq!(lua.globals().get::<i64>("closed")?, 11);
    // A handler that never ends has a budget of its own.
    let t = thread(
        &lua,
        "local x <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
    )?;
    assert!(matches!(t.resume_with_fuel((), 1000), Outcome::Preempted));
    t.terminate(StopReason::CpuTime, 10_000);
    assert_eq!(t.status(), ThreadStatus::Finished);
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn a_host_function_can_stop_its_script() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set(
        "stop",
        lua.create_function(|_, ()| Err::<(), _>(Error::Terminated(StopReason::Killed)))?,
    )?;
    let t = thread(&lua, "pcall(stop) reached = true")?;
    assert!(matches!(
        t.resume_with_fuel((), 10_000),
        Outcome::Terminated(StopReason::Killed)
    ));
    assert!(matches!(
        lua.load("pcall(stop) reached = true").exec(),
        Err(Error::Terminated(StopReason::Killed))
    ));
    assert!(lua.globals().get::<Value>("reached")?.is_nil());
    Ok(())
}

#[test]
fn nested_calls_have_an_allowance() -> Result<()> {
    let lua = Lua::new();
    lua.globals().set(
        "call",
        lua.create_function(|_, f: Function| f.call::<Value>(()))?,
    )?;
    let code = "return call(function() local n = 0 for i = 1, 10000 do n = n + 1 end return n end)";
    // More than the slice, less than the allowance: the slice is overdrawn and the coroutine goes on.
    let t = thread(&lua, code)?;
    let mut outcome = t.resume_with_fuel((), 100);
    while matches!(outcome, Outcome::Preempted) {
        outcome = t.continue_with_fuel(100);
    }
    assert_eq!(values(outcome), [Value::Integer(10_000)]);
    lua.set_nested_allowance(1000);
    let t = thread(&lua, code)?;
    assert!(matches!(
        t.resume_with_fuel((), 100),
        Outcome::Terminated(StopReason::InstructionLimit)
    ));
    let e = thread(&lua, "call(coroutine.yield)")?.resume_with_fuel((), 100);
    let Outcome::Error(e) = e else {
        panic!("{e:?}")
    };
    assert!(
        e.message()
            .contains("attempt to yield across a C-call boundary"),
        "{e}"
    );
    Ok(())
}

#[test]
fn coroutines_are_recycled() -> Result<()> {
    let lua = Lua::new();
    let first = lua
        .load("x = ... return coroutine.running()")
        .into_function()?;
    let t = lua.create_thread(first.clone())?;
    let globals = lua.create_table()?;
    t.set_globals(Some(globals))?;
    assert!(matches!(t.resume_with_fuel(1, 1000), Outcome::Done(_)));
    t.reset(first.clone())?;
    assert!(t.own_globals().is_none());
    assert!(matches!(t.resume_with_fuel(2, 1000), Outcome::Done(_)));
    // After an error, and while it waits.
    let failing = lua.load("error('x')").into_function()?;
    t.reset(failing)?;
    assert!(matches!(t.resume_with_fuel((), 1000), Outcome::Error(_)));
    let looping = lua.load("while true do end").into_function()?;
    t.reset(looping)?;
    assert!(matches!(t.resume_with_fuel((), 1000), Outcome::Preempted));
    t.reset(first)?;
    assert!(matches!(t.resume_with_fuel(3, 1000), Outcome::Done(_)));
    assert_eq!(lua.globals().get::<i64>("x")?, 3);
    let again =
        lua.create_function(|lua, ()| lua.current_thread()?.reset(lua.load("").into_function()?))?;
    lua.globals().set("again", again)?;
    let e = thread(&lua, "again()")?.resume::<()>(()).unwrap_err();
    assert!(e.message().contains("running"), "{e}");
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn scripts_and_host_resume_one_another() -> Result<()> {
    let lua = Lua::new();
    let t = thread(
        &lua,
        "local n = 0 while true do n = n + coroutine.yield(n) end",
    )?;
    lua.globals().set("t", &t)?;
    t.resume::<i64>(())?;
    assert_eq!(
        lua.load("select(2, coroutine.resume(t, 5))")
            .eval::<i64>()?,
        5
    );
    assert_eq!(t.resume::<i64>(1)?, 6);
    // A host function resumes a coroutine in the middle of a script.
    let resume = lua.create_function(|_, (t, n): (Thread, i64)| t.resume::<i64>(n))?;
    lua.globals().set("resume", resume)?;
    assert_eq!(lua.load("resume(t, 10)").eval::<i64>()?, 16);
    let e = lua
        .load("resume(coroutine.running(), 1)")
        .exec()
        .unwrap_err();
    assert!(e.message().contains("cannot be resumed"), "{e}");
    Ok(())
}

#[test]
fn the_host_ends_what_a_script_began() -> Result<()> {
    let lua = Lua::new();
    let begin = |code: &str| -> Result<Thread> {
        lua.globals()
            .set("co", lua.create_thread(lua.load(code).into_function()?)?)?;
        lua.load("assert(coroutine.resume(co)) return co").call(())
    };
    let t = begin("local a = coroutine.yield() return a, 2")?;
    assert_eq!(t.resume::<(i64, i64)>(1)?, (1, 2));
    assert_eq!(t.status(), ThreadStatus::Finished);
    let t = begin("coroutine.yield() error('late')")?;
    let e = t.resume::<()>(()).unwrap_err();
    assert!(
        e.message().ends_with("late") && e.traceback().is_some(),
        "{e}"
    );
    assert!(matches!(
        t.status(),
        ThreadStatus::Error | ThreadStatus::Finished
    ));
    let t = begin("coroutine.yield() while true do end")?;
    assert!(matches!(t.resume_with_fuel((), 1000), Outcome::Preempted));
    assert!(
        !lua.load("coroutine.resume(co)").eval::<bool>()?,
        "it is the host's now"
    );
    t.terminate(StopReason::Killed, 0);
    assert_eq!(lua.load("coroutine.status(co)").eval::<String>()?, "dead");
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

fn layered() -> Result<Lua> {
    Lua::with_options(LuaOptions {
        profile: Profile::Sandbox,
        layered_globals: true,
        ..LuaOptions::default()
    })
}

#[test]
fn each_coroutine_has_its_own_globals_over_the_apps() -> Result<()> {
    let lua = layered()?;
    lua.globals().set("shared", "app")?;
    let handler = lua.load("local before = shared shared = (...) mine = (...) coroutine.yield() return before, shared, mine, _G.mine, rawget(_G, 'mine'), load('return mine')(), coroutine.wrap(function() return mine end)()").into_function()?;
    let start = |name: &str| -> Result<Thread> {
        let t = lua.create_thread(handler.clone())?;
        let own: Table = lua.create_table()?;
        own.set("request", name)?;
        t.set_globals(Some(own))?;
        t.resume::<()>(name)?;
        Ok(t)
    };
    let (a, b) = (start("a")?, start("b")?);
    for (t, name) in [(a, "a"), (b, "b")] {
        let all: Vec<String> = t.resume::<rille_lua::Variadic<String>>(())?.into();
        assert_eq!(all, ["app", name, name, name, name, name, name]);
        assert_eq!(t.own_globals().unwrap().get::<String>("mine")?, name);
    }
    assert_eq!(lua.globals().get::<String>("shared")?, "app");
    assert!(lua.globals().get::<Value>("mine")?.is_nil());
    // init.lua writes to the app's.
    let init = lua.create_thread(lua.load("set_by_init = 1").into_function()?)?;
    init.set_globals(Some(lua.create_table()?))?;
    init.set_shared_writes(true);
    init.resume::<()>(())?;
    assert_eq!(lua.globals().get::<i64>("set_by_init")?, 1);
    // A global of a metamethod's name is none of the environment's, whatever is done with it.
    lua.load("for _, event in ipairs {'__eq', '__lt', '__le', '__index', '__newindex', '__call', '__add'} do _G[event] = function() return 'called' end end")
        .exec()?;
    let odd = lua.load("local t, f = {}, false return _G == t, _G ~= t, pcall(function() return _G < t end), pcall(function() return _G <= t end), pcall(function() return _G + 1 end), pcall(function() return _G() end), _G.none, _G[1]");
    let odd: Vec<Value> = odd.eval::<rille_lua::Variadic<Value>>()?.into();
    assert_eq!(odd[0], Value::Boolean(false));
    assert_eq!(odd[1], Value::Boolean(true));
    assert!(odd[2..6].iter().all(|v| *v == Value::Boolean(false)));
    assert!(odd[7..].iter().all(Value::is_nil), "{odd:?}");
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn memory_limits_are_errors_that_can_be_caught() -> Result<()> {
    let lua = Lua::with_options(LuaOptions {
        memory_limit: 1 << 20,
        ..LuaOptions::default()
    })?;
    let e = lua
        .load("local s = 'x' while true do s = s .. s end")
        .exec()
        .unwrap_err();
    assert!(matches!(e, Error::MemoryError(_)) && e.is_limit(), "{e:?}");
    assert_eq!(
        lua.load("select(2, pcall(string.rep, 'x', 1 << 24))")
            .eval::<String>()?,
        "not enough memory"
    );
    assert!(lua.create_string("x".repeat(1 << 21)).is_err());
    assert!(lua.create_table_with_capacity(1 << 20, 0).is_err());
    assert!(lua.used_memory() <= 1 << 20);
    assert_eq!(lua.set_memory_limit(0)?, 1 << 20);
    assert!(lua.create_string("x".repeat(1 << 21)).is_ok());
    assert!(
        Lua::with_options(LuaOptions {
            memory_limit: 1000,
            ..LuaOptions::default()
        })
        .is_err()
    );
    Ok(())
}

#[test]
fn instruction_limits() -> Result<()> {
    let lua = Lua::new();
    lua.set_instruction_limit(Some(1_000_000));
    for code in [
        "while true do end",
        "local function f() return f() end f()",
        "while true do pcall(error) end",
        "string.rep('a', 1000000):find('(a*)*b')",
        "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() while true do end",
        "while true do coroutine.wrap(function() while true do end end)() end",
    ] {
        let stopped = lua.load(code).exec();
        assert!(
            matches!(
                stopped,
                Err(Error::Terminated(StopReason::InstructionLimit))
            ),
            "{code}: {stopped:?}"
        );
        assert_eq!(lua.load("1").eval::<i64>()?, 1, "after {code}");
    }
    assert!(lua.fuel_used() >= 5_000_000);
    let e = lua
        .create_thread(lua.load("while true do end").into_function()?)?
        .resume::<()>(())
        .unwrap_err();
    assert!(matches!(e, Error::Terminated(StopReason::InstructionLimit)));
    assert_eq!(lua.check_heap()?, [""; 0]);
    Ok(())
}

#[test]
fn chunks_are_shared_between_threads() -> Result<()> {
    let chunk = rille_lua::compile(
        "local n = ... return n * 2, (function() return 'inner' end)()",
        "=shared",
    )?;
    let workers: Vec<_> = (0..4)
        .map(|i| {
            let chunk = chunk.clone();
            std::thread::spawn(move || {
                let lua = Lua::new();
                lua.load_chunk(&chunk)?.call::<(i64, String)>(i)
            })
        })
        .collect();
    for (i, worker) in workers.into_iter().enumerate() {
        assert_eq!(worker.join().unwrap()?, (i as i64 * 2, "inner".to_owned()));
    }
    assert!(matches!(
        rille_lua::compile("x =", "=c"),
        Err(Error::SyntaxError {
            incomplete_input: true,
            ..
        })
    ));
    Ok(())
}

#[test]
fn finalizers_run_at_the_end() -> Result<()> {
    let log: Rc<RefCell<Vec<String>>> = Rc::default();
    let seen = log.clone();
    let lua = Lua::new();
    let note = lua.create_function(move |_, text: String| {
        seen.borrow_mut().push(text);
        Ok(())
    })?;
    lua.globals().set("note", note)?;
    lua.load("setmetatable({}, {__gc = function() note('collected') end})")
        .exec()?;
    lua.gc_collect()?;
    assert_eq!(*log.borrow(), ["collected"]);
    lua.load(
        // Kept, so that no collection comes first.
        "kept = {} for _, n in ipairs {'a', 'b'} do kept[n] = setmetatable({}, {__gc = function() note(n) end}) end",
    )
    .exec()?;
    drop(lua);
    assert_eq!(*log.borrow(), ["collected", "b", "a"]);
    Ok(())
}
