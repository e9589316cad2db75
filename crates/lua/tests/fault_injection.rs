//! Scripts that are stopped after every number of instructions, and that run out of memory at every allocation: afterwards
//! the heap is sound and the VM goes on.

use rille_lua::{Error, Lua, LuaOptions, Outcome, Result, StopReason};

/// What each program does ends in `result`, so that a run without fault can be told from one with.
const PROGRAMS: &[(&str, &str)] = &[
    (
        "closures, varargs, tables",
        "local function make(...)
             local all, n = {...}, select('#', ...)
             return function(x) n = n + (x or 0) all[#all + 1] = n return n, all end
         end
         local f = make(1, 2, 3)
         for i = 1, 20 do f(i) end
         local n, all = f()
         local copy = {table.unpack(all)}
         for k, v in pairs(copy) do copy[k] = tostring(v) .. k end
         result = table.concat(copy, ',')",
    ),
    (
        "protected calls and closing",
        "local log = {}
         local function guard(name)
             return setmetatable({}, {__close = function(_, e) log[#log + 1] = name .. tostring(e ~= nil) end})
         end
         for i = 1, 4 do
             local ok = pcall(function()
                 local a <close> = guard('a')
                 local b <close> = guard('b')
                 if i % 2 == 0 then error({i}) end
             end)
             local ok2 = xpcall(function() local x = nil + i end, function(m) return debug.traceback(m) end)
             log[#log + 1] = tostring(ok) .. tostring(ok2)
         end
         result = table.concat(log)",
    ),
    (
        "coroutines in coroutines",
        "local function walk(n)
             return coroutine.wrap(function()
                 if n > 0 then for v in walk(n - 1) do coroutine.yield(v + n) end end
                 coroutine.yield(n)
             end)
         end
         local sum = 0
         for v in walk(6) do sum = sum + v end
         local co = coroutine.create(function() local x <close> = setmetatable({}, {__close = function() sum = sum + 1 end}) coroutine.yield() end)
         coroutine.resume(co)
         coroutine.close(co)
         result = sum",
    ),
    (
        "library callbacks",
        "local t = {}
         for i = 1, 30 do t[i] = (i * 7919) % 31 end
         table.sort(t, function(a, b) return a < b end)
         local s = string.gsub(table.concat(t, ' '), '%d+', function(d) return d + 1 end)
         s = s .. string.gsub('hello world', 'o', {o = '0'})
         local parts = {}
         for w in string.gmatch(s, '%S+') do parts[#parts + 1] = string.format('%5s|%q', w, w) end
         local f = load(function() local p = parts[1] parts[1] = nil return p and 'return 1' or nil end)
         result = s .. tostring(f and f())",
    ),
    (
        "metamethods and finalizers",
        "local collected = 0
         local mt = {}
         mt.__index = function(t, k) return k .. '?' end
         mt.__newindex = function(t, k, v) rawset(t, k, v .. '!') end
         mt.__add = function(a, b) return setmetatable({n = (rawget(a, 'n') or 0) + 1}, mt) end
         mt.__concat = function(a, b) return 'joined' end
         mt.__eq = function() return true end
         mt.__lt = function() return false end
         mt.__call = function(_, ...) return select('#', ...) end
         mt.__gc = function() collected = collected + 1 end
         local a = setmetatable({}, mt)
         for i = 1, 20 do a = a + i a['k' .. i] = 'v' end
         collectgarbage()
         local weak = setmetatable({}, {__mode = 'k'})
         for i = 1, 20 do weak[{}] = i end
         collectgarbage('step')
         result = a.x .. (a .. 1) .. tostring(a == setmetatable({}, mt)) .. a(1, 2, 3)",
    ),
    (
        "strings and loading",
        "local s = ''
         for i = 1, 40 do s = s .. i .. ',' end
         local f = assert(load('local a, b = ... local function g(x) return a + x end return g(b), {a, b, s}'))
         local n, t = f(1, 2)
         local ok, m = load('x = = 1')
         result = #s + n + #t + #m + #s:rep(10) + #s:upper():reverse() + #string.pack('s4', s)",
    ),
];

fn sound(lua: &Lua, what: &str) {
    let problems = lua.check_heap().expect("nothing runs");
    assert!(problems.is_empty(), "{what}: {problems:#?}");
}

fn expected(lua: &Lua, code: &str) -> Result<String> {
    lua.load(code).exec()?;
    let result = lua.globals().get::<rille_lua::Value>("result")?.to_string();
    lua.globals().set("result", rille_lua::Value::Nil)?;
    result
}

#[test]
fn killed_at_every_instruction() -> Result<()> {
    for (name, code) in PROGRAMS {
        let lua = Lua::new();
        let expected = expected(&lua, code)?;
        let f = lua.load(*code).into_function()?;
        let (mut fuel, mut kills) = (1, 0);
        loop {
            let what = format!("{name}, killed after {fuel}");
            let thread = lua.create_thread(f.clone())?;
            match thread.resume_with_fuel((), fuel) {
                Outcome::Preempted => {
                    // Every other one gets to run its handlers, as far as a little fuel goes.
                    thread.terminate(
                        StopReason::Killed,
                        if kills % 2 == 0 { 0 } else { fuel % 97 },
                    );
                    kills += 1;
                }
                Outcome::Done(_) => break,
                other => panic!("{what}: {other:?}"),
            }
            if kills % 5 == 0 {
                sound(&lua, &what);
            }
            // Every instruction at first, then in growing steps: the long tail repeats itself.
            fuel += 1 + fuel / 256;
        }
        assert!(kills > 100, "{name}: only {kills}");
        sound(&lua, name);
        assert_eq!(
            lua.globals()
                .get::<rille_lua::Value>("result")?
                .to_string()?,
            expected,
            "{name}"
        );
        lua.gc_collect()?;
        sound(&lua, name);
        let again = self::expected(&lua, code)?;
        assert_eq!(again, expected, "{name}: a fresh run after {kills} kills");
    }
    Ok(())
}

#[test]
fn preempted_everywhere_while_everything_is_collected() -> Result<()> {
    for (name, code) in PROGRAMS {
        let lua = Lua::new();
        let expected = expected(&lua, code)?;
        let f = lua.load(*code).into_function()?;
        lua.set_gc_stress(true);
        lua.set_gc_quarantine(true);
        // Collections are charged to the script, so each slice ends soon whatever its fuel.
        let thread = lua.create_thread(f)?;
        let mut outcome = thread.resume_with_fuel((), 1);
        while matches!(outcome, Outcome::Preempted) {
            outcome = thread.continue_with_fuel(1);
        }
        assert!(matches!(outcome, Outcome::Done(_)), "{name}: {outcome:?}");
        assert_eq!(
            lua.globals()
                .get::<rille_lua::Value>("result")?
                .to_string()?,
            expected,
            "{name}"
        );
        sound(&lua, name);
    }
    Ok(())
}

#[test]
fn out_of_memory_at_every_allocation() -> Result<()> {
    for (name, code) in PROGRAMS {
        let lua = Lua::with_options(LuaOptions {
            memory_limit: 64 << 20,
            ..LuaOptions::default()
        })?;
        let expected = expected(&lua, code)?;
        let f = lua.load(*code).into_function()?;
        let (mut room, mut failures) = (0, 0);
        loop {
            let what = format!("{name}, with room for {room} bytes");
            lua.gc_collect()?;
            lua.set_memory_limit(lua.used_memory() + room)?;
            let outcome = f.call::<()>(());
            lua.set_memory_limit(64 << 20)?;
            match outcome {
                // A script that caught the error may get to its end.
                Ok(()) => {
                    let result = lua
                        .globals()
                        .get::<rille_lua::Value>("result")?
                        .to_string()?;
                    if result == expected {
                        break;
                    }
                }
                Err(e) => assert!(e.message().contains("not enough memory"), "{what}: {e}"),
            }
            failures += 1;
            sound(&lua, &what);
            room += 16 + room / 64;
        }
        assert!(failures > 20, "{name}: only {failures}");
        assert_eq!(
            self::expected(&lua, code)?,
            expected,
            "{name}: a fresh run after {failures} failures"
        );
    }
    Ok(())
}

#[test]
fn memory_for_the_host_runs_out_too() -> Result<()> {
    let lua = Lua::new();
    let work = |lua: &Lua| -> Result<i64> {
        let t = lua.create_table()?;
        t.set(
            "name",
            "a string that is too long to be interned by far, so that it is made anew",
        )?;
        let f = lua.create_function(|lua, (a, b): (i64, String)| {
            let made = lua.create_sequence_from([a, a + 1])?;
            Ok((made, b + "!"))
        })?;
        t.set("f", f)?;
        let thread = lua.create_thread(
            lua.load("local t = ... local s, x = t.f(1, t.name) return #s + #x")
                .into_function()?,
        )?;
        let n: i64 = thread.resume(&t)?;
        lua.create_any_userdata(vec![1, 2, 3])?.set_user_value(t)?;
        Ok(n)
    };
    let expected = work(&lua)?;
    let (mut room, mut failures) = (0, 0);
    loop {
        lua.gc_collect()?;
        lua.set_memory_limit(lua.used_memory() + room)?;
        let outcome = work(&lua);
        lua.set_memory_limit(0)?;
        match outcome {
            Ok(n) => {
                assert_eq!(n, expected);
                break;
            }
            Err(e) => assert!(
                matches!(e.root(), Error::MemoryError(_)),
                "with room for {room}: {e:?}"
            ),
        }
        failures += 1;
        sound(&lua, &format!("with room for {room}"));
        room += 8;
    }
    assert!(failures > 20, "only {failures}");
    Ok(())
}

#[test]
fn making_a_vm_fails_cleanly_at_every_limit() {
    let needed = Lua::new().used_memory();
    let mut limit = 1;
    while limit < needed + 4096 {
        match Lua::with_options(LuaOptions {
            memory_limit: limit,
            ..LuaOptions::default()
        }) {
            Ok(lua) => sound(&lua, "made"),
            Err(e) => assert!(matches!(e, Error::MemoryError(_)), "{limit}: {e:?}"),
        }
        limit += 256;
    }
}
