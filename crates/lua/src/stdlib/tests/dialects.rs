//! Versions without integers: whatever the libraries do, no value that a script can see is one.
//!
//! [`check_on`](super::check_on) ends every run with the heap checker, which knows that invariant and looks at all tables,
//! captured variables, constants and running functions, and at what is garbage too.

use super::{TestHost, check_on};
use crate::Dialect;

fn on(dialect: Dialect) -> impl Fn() -> TestHost {
    move || TestHost {
        dialect,
        files: [(b"./m.lua".to_vec(), b"return 7, ...".to_vec())].into(),
        ..TestHost::default()
    }
}

/// Calls every function it finds with many kinds of arguments and keeps what they return.
const EVERYTHING: &str = r##"
    local kept, called = {}, 0
    local skip = {exit = 1, execute = 1, remove = 1, rename = 1, popen = 1, debug = 1, read = 1, lines = 1, input = 1, output = 1,
        open = 1, write = 1, print = 1, close = 1, tmpfile = 1, tmpname = 1, setmetatable = 1, setfenv = 1, sethook = 1, collectgarbage = 1, dofile = 1,
        setlocal = 1, setupvalue = 1, upvaluejoin = 1, yield = 1, loadfile = 1, getregistry = 1, getlocal = 1, module = 1, newproxy = 1}
    local function keep(ok, ...)
        called = called + 1
        local n = select("#", ...)
        for i = 1, n do kept[#kept + 1] = (select(i, ...)) end
        kept[#kept + 1] = {n, ...}
        for i = 1, n do
            local v = select(i, ...)
            -- Iterators and coroutines give values too.
            if type(v) == "function" and ok and n <= 3 then for _ = 1, 3 do kept[#kept + 1] = {pcall(v, select(2, ...))} end end
        end
    end
    local function values()
        return {3, 2.5, -1, "7", "a1b2", "%d", "(%w)()", {4, 5, 6, n = 3}, function(...) return ..., #{...} end,
            setmetatable({}, {__index = function(t, k) return k end, __len = function() return 2 end}), coroutine.create(function(...) return #{...} end), true}
    end
    local function call(f)
        keep(pcall(f))
        for _, a in ipairs(values()) do
            keep(pcall(f, a))
            for _, b in ipairs(values()) do
                keep(pcall(f, a, b))
                keep(pcall(f, a, b, 2))
                keep(pcall(f, a, b, 1, 2))
            end
        end
    end
    for _, name in ipairs{"string.buffer", "table.new", "table.clear", "ffi"} do pcall(require, name) end
    local libraries = {}
    for name, library in pairs(package.loaded) do if type(library) == "table" then libraries[#libraries + 1] = library end end
    for _, library in ipairs(libraries) do
        for name, f in pairs(library) do
            if type(f) == "function" and not skip[name] then call(f) end
        end
    end
    print(called > 20000, #kept > 20000)
"##;

#[test]
fn nothing_a_library_returns_is_an_integer() {
    for dialect in [Dialect::Lua51, Dialect::Lua52] {
        let host = on(dialect);
        let text = super::output(host(), EVERYTHING, super::How::Plain);
        assert_eq!(text, "true\ttrue\n", "{dialect}");
    }
}

/// Values on their way: callbacks, iterators, coroutines, metamethods, varargs, loops.
const ON_THE_WAY: &str = r##"
    local kept = {}
    local function keep(...) for i = 1, select("#", ...) do kept[#kept + 1] = (select(i, ...)) end return ... end
    for i = 1, 3 do keep(i) end
    for i, v in ipairs{10, 20} do keep(i, v) end
    for k, v in pairs{10, 20, x = 30} do keep(k, v) end
    for a, b in ("a1b2"):gmatch("()(%d)") do keep(a, b) end
    keep(("abc"):gsub("()%w", function(at) keep(at) return at * 2 end))
    table.sort({3, 1, 2}, function(a, b) keep(a, b) return a < b end)
    keep(select("#", 1, 2), #kept, #"abc", ("x"):byte(), ("abc"):find("c"))
    local co = coroutine.wrap(function(...) keep(...) keep(coroutine.yield(#{...})) return ("ab"):len() end)
    keep(co(1, 2)) keep(co(3))
    local meta = setmetatable({}, {__index = function(t, k) return keep(k) end, __newindex = function(t, k, v) keep(k, v) end,
        __call = function(self, ...) return keep(select("#", ...)) end, __concat = function(a, b) return keep(#b) end, __unm = function(a) return keep(#{1}) end})
    meta[7] = 8 keep(meta[9], meta(1, 2, 3), meta .. "xyz", -meta)
    keep(pcall(string.rep, "x", 2)) keep(xpcall(function() return #"four" end, print)) keep((loadstring or load)("return 1, #...")("ab"))
    keep(next({5})) keep(unpack({1, 2}, 1, 2)) keep(tonumber("10"), tonumber("ff", 16), math.floor(2.5), os.time{year = 2001, month = 2, day = 3})
    keep(require "m") keep(debug.getinfo(1, "l").currentline, debug.getinfo(keep).nups)
    for k, v in pairs(os.date("*t", 86400)) do keep(v) end
    local function varargs(...) return keep(select("#", ...), ...) end varargs(1, #"ab")
    local up = #kept local function counter() up = up + #"a" return up end keep(counter(), counter())
    local t = {#"one", #"three", n = #"x", [#"key"] = #"value", ("abc"):len()} keep(#t, t[1], t[3]) table.insert(t, #t) keep(table.remove(t))
    for _, v in ipairs(kept) do if type(v) == "number" then assert(v / 2 * 2 == v) end end
    print(10 / 2, #kept / 1 == #kept, (#kept % 0) ~= (#kept % 0))
"##;

#[test]
fn values_on_their_way_are_floats() {
    for dialect in [Dialect::Lua51, Dialect::Lua52] {
        check_on(on(dialect), ON_THE_WAY, "5\ttrue\ttrue");
    }
}

#[test]
fn each_version_has_its_libraries() {
    let names = r##"
        local names = {} for name in pairs(_G) do names[#names + 1] = name end table.sort(names) print(table.concat(names, " "))
        names = {} for name in pairs(table) do names[#names + 1] = name end table.sort(names) print(table.concat(names, " "))
        print(_VERSION)
    "##;
    check_on(
        on(Dialect::Lua51),
        names,
        "
        _G _VERSION assert bit collectgarbage coroutine debug dofile error gcinfo getfenv getmetatable io ipairs jit load loadfile loadstring math module newproxy next os package pairs pcall print rawequal rawget rawset require select setfenv setmetatable string table tonumber tostring type unpack xpcall
        concat foreach foreachi getn insert maxn move remove setn sort
        Lua 5.1
        ",
    );
    check_on(
        on(Dialect::Lua52),
        names,
        "
        _G _VERSION assert bit32 collectgarbage coroutine debug dofile error getmetatable io ipairs load loadfile loadstring math module next os package pairs pcall print rawequal rawget rawlen rawset require select setmetatable string table tonumber tostring type unpack xpcall
        concat insert maxn pack remove sort unpack
        Lua 5.2
        ",
    );
}

fn sandboxed(dialect: Dialect) -> impl Fn() -> TestHost {
    move || TestHost {
        sandbox: true,
        dialect,
        ..TestHost::default()
    }
}

#[test]
fn sandboxes_of_old_versions_are_closed() {
    let absent = r##"
        print(dofile, loadfile, package.loadlib, io.popen, io.open, os.execute, os.exit, string.dump, debug.getfenv, debug.setfenv, debug.getregistry)
        print((loadstring or load)("\27Lua"))
    "##;
    for dialect in [Dialect::Lua51, Dialect::Lua52] {
        check_on(
            sandboxed(dialect),
            absent,
            "
            nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\tnil
            nil\tattempt to load a binary chunk (mode is 't')
            ",
        );
    }
}

#[test]
fn scripts_do_not_reach_environments_of_host_code() {
    // The host's own function, as the server's prelude is one.
    let script = r##"
        local host = (...)
        print(pcall(setfenv, host, {})) print(getfenv(host) == _G, host())
        local seen
        local function callback() seen = getfenv(2) == _G print(pcall(setfenv, 3, {})) return 1 end
        host(callback) print(seen)
        local p = newproxy(true) print(type(p), pcall(newproxy, {})) setfenv(0, {x = 1}) print(getfenv(0).x, loadstring("return x")(), print ~= nil)
    "##;
    let host = std::rc::Rc::new(sandboxed(Dialect::Lua51)());
    let mut vm =
        crate::vm::Vm::new(host.clone(), usize::MAX / 2, false, Dialect::Lua51).expect("memory");
    vm.heap.set_fuel(i64::MAX / 4);
    crate::stdlib::open_all(&mut vm, true).expect("memory");
    let host_code = vm
        .load_source(
            b"local f = function(call) if call then call() end return secret == nil end return f",
            crate::compiler::HOST_CHUNK.as_bytes(),
        )
        .expect("compiles");
    let main = vm.load_source(script.as_bytes(), b"=t").expect("compiles");
    for (f, argument) in [(host_code, None), (main, Some(()))] {
        let t = vm.thread_mut();
        let top = t.top as usize;
        // The function that the first call returned is the argument of the second.
        let made = t.get(top);
        t.set(top, crate::value::Val::lua_closure(f));
        t.set(top + 1, made);
        t.top = top as u32 + 1 + argument.is_some() as u32;
        let exit = vm.enter_call(argument.is_some() as u32).expect("enters");
        assert!(matches!(exit, crate::vm::entry::Exit::Done(_)), "{exit:?}");
        if let crate::vm::entry::Exit::Done(n) = exit {
            // Where the results are, the next function goes.
            let t = vm.thread_mut();
            t.top -= n as u32;
        }
    }
    let out = String::from_utf8_lossy(&host.out.borrow()).into_owned();
    assert_eq!(
        super::lines(&out),
        super::lines(
            "
            false\t'setfenv' cannot change environment of given object
            true\ttrue
            false\t'setfenv' cannot change environment of given object
            true
            userdata\tfalse\tbad argument #1 to '?' (boolean or proxy expected)
            1\t1\ttrue
            "
        )
    );
}
