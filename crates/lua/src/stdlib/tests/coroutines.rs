//! The coroutine library: switches, states, errors and closing.

use super::check;

#[test]
fn values_go_both_ways() {
    check(
        r#"
        local co = coroutine.create(function(a, b) print("start", a, b) local c = coroutine.yield(a + b)
        print("got", c) local d, e = coroutine.yield(c * 2, "x") return d, e, "end" end)
        print(coroutine.resume(co, 1, 2)) print(coroutine.resume(co, 10)) print(coroutine.status(co))
        print(coroutine.resume(co, nil, 5)) print(coroutine.status(co), coroutine.resume(co))
        print(coroutine.resume(coroutine.create(function(...) return select('#', ...), ... end), nil, nil))
        print(coroutine.resume(coroutine.create(coroutine.yield), 1, 2, 3))
        local many = coroutine.wrap(function(...) while true do coroutine.yield(select('#', ...), ...) end end)
        print((many(table.unpack({}, 1, 100))))
        "#,
        r#"
        start	1	2
        true	3
        got	10
        true	20	x
        suspended
        true	nil	5	end
        dead	false	cannot resume dead coroutine
        true	2	nil	nil
        true	1	2	3
        100
        "#,
    );
}

#[test]
fn wrapped_generators() {
    check(
        r#"
        local function range(n) return coroutine.wrap(function() for i = 1, n do
        coroutine.yield(i, i * i) end end) end
        local s = 0 for i, sq in range(20) do s = s + i * sq end print(s)
        local function tree(t) if t then tree(t[1]) coroutine.yield(t[2]) tree(t[3]) end end
        for v in coroutine.wrap(function() tree{{{nil, 1}, 2, {nil, 3}}, 4, {nil, 5}} end) do io.write(v, " ") end
        print()
        print(pcall(range(0))) local done = range(0) done() print(pcall(done))
        "#,
        r#"
        44100
        1 2 3 4 5 
        true
        false	cannot resume dead coroutine
        "#,
    );
}

#[test]
fn states() {
    check(
        r#"
        local co co = coroutine.create(function() print(coroutine.status(co), coroutine.resume(co))
        print(pcall(coroutine.close, co))
          coroutine.resume(coroutine.create(function() print(coroutine.status(co), coroutine.resume(co))
        print(pcall(coroutine.close, co)) end)) end)
        print(coroutine.status(co)) coroutine.resume(co) print(coroutine.status(co))
        print(select(2, coroutine.running()), coroutine.isyieldable(), coroutine.isyieldable(co))
        coroutine.wrap(function() local me, main = coroutine.running() print(type(me), main,
        coroutine.isyieldable()) end)()
        print(coroutine.resume(coroutine.running())) print(coroutine.status(coroutine.running()))
        "#,
        r#"
        suspended
        running	false	cannot resume non-suspended coroutine
        false	cannot close a running coroutine
        normal	false	cannot resume non-suspended coroutine
        false	cannot close a normal coroutine
        dead
        true	false	true
        thread	false	true
        false	cannot resume non-suspended coroutine
        running
        "#,
    );
}

#[test]
fn errors_in_arguments() {
    check(
        r#"
        local function t(f, ...) print(select(2, pcall(f, ...))) end
        t(coroutine.resume) t(coroutine.resume, 1) t(coroutine.wrap) t(coroutine.create, 1) t(coroutine.status, {})
        t(coroutine.close) t(coroutine.isyieldable, 1) t(coroutine.yield, 1)
        t(coroutine.close, coroutine.running())
        "#,
        r#"
        bad argument #1 to 'coroutine.resume' (thread expected, got no value)
        bad argument #1 to 'coroutine.resume' (thread expected, got number)
        bad argument #1 to 'coroutine.wrap' (function expected, got no value)
        bad argument #1 to 'coroutine.create' (function expected, got number)
        bad argument #1 to 'coroutine.status' (thread expected, got table)
        bad argument #1 to 'coroutine.close' (thread expected, got no value)
        bad argument #1 to 'coroutine.isyieldable' (thread expected, got number)
        attempt to yield from outside a coroutine
        cannot close a running coroutine
        "#,
    );
}

#[test]
fn errors_reach_the_resumer() {
    check(
        r#"
        local co = coroutine.create(function() local x = nil; x() end) print(coroutine.resume(co))
        print(coroutine.status(co), coroutine.resume(co)) print(coroutine.close(co)) print(coroutine.close(co))
        local w = coroutine.wrap(function() error("inside") end) print(pcall(w)) print(pcall(w))
        local w = coroutine.wrap(function() error("inside") end) print(pcall(function() w() end))
        local w = coroutine.wrap(function() error({code = 7}) end) print(select(2, pcall(w)).code)
        local w = coroutine.wrap(function() error(nil) end) print(pcall(w))
        print(coroutine.resume(coroutine.create(error), "m", 0))
        print(coroutine.resume(coroutine.create(function() return pcall(error, "caught") end)))
        "#,
        r#"
        false	t:1: attempt to call a nil value (local 'x')
        dead	false	cannot resume dead coroutine
        false	t:1: attempt to call a nil value (local 'x')
        true
        false	t:3: inside
        false	cannot resume dead coroutine
        false	t:4: t:4: inside
        7
        false	nil
        false	m
        true	false	caught
        "#,
    );
}

#[test]
fn yields_across_natives() {
    check(
        r#"
        local y = coroutine.yield
        local co = coroutine.wrap(function()
          print(pcall(function(...) return y(...) end, 1, 2))
          print(xpcall(function() return y("x") .. nil end, function(m) return "handled " .. m end))
          local t =
        setmetatable({}, {__index = function(_, k) return y(k) end, __add = function(a, b) return y("add") end,
        __lt = function() return y("lt") end, __concat = function() return y("cat") end, __call = function(_, v)
        return y(v) end, __eq = function() return y("eq") end, __len = function() return y("len") end, __newindex =
        function(_, k, v) y("set") rawset(_, k, v) end})
          print(t.key, t + 1, t < t, t .. "s", t("call"), t == setmetatable({}, getmetatable(t)), #t) t.z = 1
          for k in setmetatable({}, {__call = function(_, _, k) return y("iter") end}) do print(k) end
          for k, v in pairs(setmetatable({}, {__pairs = function(t) y("pairs") return next, {a = 1} end})) do
        print(k, v) end
          return "done"
        end)
        local v = co() local n = 0 while v ~= "done" and n < 40 do n = n + 1
        io.write("[", tostring(v), "] ") if v == "iter" then v = co(n < 14 and n or nil) elseif v == "ip3" then v =
        co(nil) else v = co(n) end end print(n)
        "#,
        r#"
        [1] true	1
        [x] false	handled t:4: attempt to concatenate a nil value
        [key] [add] [lt] [cat] [call] [eq] [len] 3	4	true	6	7	true	9
        [set] [iter] 11
        [iter] 12
        [iter] 13
        [iter] [pairs] a	1
        15
        "#,
    );
}

#[test]
fn closing_runs_pending_variables() {
    check(
        r#"
        local function closer(n, f) return setmetatable({}, {__close = function(_, e)
        print("close", n, e) if f then f() end end}) end
        local function make(f, g) return coroutine.create(function() local a <close> = closer("a", f)
        local b <close> = closer("b", g) coroutine.yield() end) end
        local co = make() coroutine.resume(co) print(coroutine.close(co), coroutine.status(co))
        print(coroutine.close(co))
        co = make(nil, function() error("from b", 0) end) coroutine.resume(co) print(coroutine.close(co))
        print(coroutine.close(co))
        co = make(function() error(nil) end) coroutine.resume(co) print(coroutine.close(co))
        co = make(nil, function() coroutine.yield() end) coroutine.resume(co) print(coroutine.close(co))
        co = coroutine.create(function() local a <close> = closer("c") error("first", 0) end)
        print(coroutine.resume(co)) print(coroutine.status(co)) print(coroutine.close(co))
        print(coroutine.close(co))
        print(coroutine.close(coroutine.create(print))) local w = coroutine.wrap(function()
        local a <close> = closer("w") error("wrapped", 0) end) print(pcall(w))
        co = coroutine.wrap(function() local a <close> = setmetatable({}, {__close = function()
        coroutine.yield("in close") end}) return "result" end) print(co()) print(co())
        "#,
        r#"
        close	b	nil
        close	a	nil
        true	dead
        true
        close	b	nil
        close	a	from b
        false	from b
        true
        close	b	nil
        close	a	nil
        false	nil
        close	b	nil
        close	a	attempt to yield across a C-call boundary
        false	attempt to yield across a C-call boundary
        false	first
        dead
        close	c	first
        false	first
        true
        true
        close	w	wrapped
        false	wrapped
        in close
        result
        "#,
    );
}

#[test]
fn closing_in_returns_with_few_values() {
    check(
        r#"
        local function closer(n) return setmetatable({}, {__close = function() io.write(n, " ") end}) end
        local function f(x) local a <close> = closer(1) local b <close> = closer(2)
        local c <close> = closer(3) return x end print(f("v"))
        local function g() local a <close> = closer(1) local b <close> = closer(2) local c <close> = closer(3) end
        print(g())
        local function h(...) local a <close> = closer(1) local b <close> = closer(2) return ... end
        print(h(1, 2, 3))
        for i = 1, 2 do local a <close> = closer(i) if i == 2 then break end end print()
        "#,
        r#"
        3 2 1 v
        3 2 1 
        2 1 1	2	3
        1 2 
        "#,
    );
}

#[test]
fn captured_variables_survive_their_coroutine() {
    check(
        r#"
        local get, set
        local co = coroutine.create(function()
        local x = 1 get, set = function() return x end, function(v) x = v end coroutine.yield() x = x + 1
        coroutine.yield() error("dies") end)
        coroutine.resume(co) set(10) coroutine.resume(co) print(get()) coroutine.resume(co) set(20) print(get())
        collectgarbage() print(get())
        co = coroutine.create(function() local x = 5 get = function() return x end coroutine.yield() end)
        coroutine.resume(co) co = nil collectgarbage() print(get())
        "#,
        r#"
        11
        20
        20
        5
        "#,
    );
}

#[test]
fn coroutines_nest_only_so_deep() {
    check(
        r#"
        local function nest(n) local co = coroutine.create(function() return nest(n + 1) end) local a, b, c =
        coroutine.resume(co) if not a then return n, b end return b, c end
        print(nest(0) > 190)
        local ok, m = pcall(function() local function go() return coroutine.wrap(go)() end return go() end)
        print(ok, m:sub(-16))
        "#,
        r#"
        true
        false	C stack overflow
        "#,
    );
}

#[test]
fn closings_nest_only_so_deep() {
    check(
        r#"
        local last = false
        for i = 1, 300 do
          local previous = last
          local function close() if previous then assert(coroutine.close(previous)) end end
          last = coroutine.create(function() local c <close> = setmetatable({}, {__close = close}) coroutine.yield() end)
          coroutine.resume(last)
        end
        local ok, m = coroutine.close(last) print(ok, m:match("C stack overflow"))
        "#,
        "false\tC stack overflow",
    );
}

#[test]
fn yields_where_the_reference_cannot() {
    check(
        r#"
        local y = coroutine.yield
        local co = coroutine.wrap(function()
          for i, v in ipairs(setmetatable({}, {__index = function(_, i) return y("ipairs " .. i) end})) do print(i, v) end
          print(setmetatable({}, {__tostring = function() return y("print") end}), 5)
          print(tostring(setmetatable({}, {__tostring = function() return y("tostring") end})))
          local function box(n) return setmetatable({n = n}, {__lt = function(a, b) y("max") return a.n < b.n end}) end
          print(math.max(box(1), box(3), box(2)).n)
          print(load(function() return y("load") end)())
          return "done"
        end)
        local answers = {["ipairs 1"] = "one", print = "text", tostring = "more", load = nil}
        local pieces, k = {"return ", "6 * 7"}, 0
        local v = co()
        while v ~= "done" do
          io.write("[", v, "] ")
          if v == "load" then k = k + 1 v = co(pieces[k]) else v = co(answers[v]) end
        end
        "#,
        "
        [ipairs 1] 1\tone
        [ipairs 2] [print] text\t5
        [tostring] more
        [max] [max] 3
        [load] [load] [load] 42
        ",
    );
}
