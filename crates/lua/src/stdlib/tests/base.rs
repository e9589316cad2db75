//! The basic functions: what they return and what they say, as the reference does.

use super::check;

#[test]
fn assert_returns_or_throws() {
    check(
        r#"
        print(assert(1, 2, 3), select('#', assert(true)))
        print(pcall(assert)) print(pcall(assert, false)) print(pcall(assert, nil, "why"))
        print(pcall(assert, false, nil))
        print(pcall(function() assert(false) end)) print(pcall(function() assert(nil, "msg") end))
        print(select(2, pcall(assert, false, 42)) == 42)
        "#,
        r#"
        1	1
        false	bad argument #1 to 'assert' (value expected)
        false	assertion failed!
        false	why
        false	nil
        false	t:4: assertion failed!
        false	t:4: msg
        true
        "#,
    );
}

#[test]
fn error_adds_positions_by_level() {
    check(
        r#"
        print(pcall(function() error("a") end)) print(pcall(function() error("a", 0) end))
        local function thrower() error("deep", 2) end
        print(pcall(function() local x = 1
          thrower() end))
        print(pcall(error)) print(pcall(error, nil)) print(pcall(error, 12)) print(pcall(function() error(12) end))
        print(pcall(function() error("far", 100) end)) print(pcall(function() error("neg", -1) end))
        local t = {} print(select(2, pcall(error, t)) == t) print(pcall(error, "x", {}))
        "#,
        r#"
        false	t:1: a
        false	a
        false	t:4: deep
        false	nil
        false	nil
        false	12
        false	12
        false	far
        false	neg
        true
        false	bad argument #2 to 'error' (number expected, got table)
        "#,
    );
}

#[test]
fn protected_calls() {
    check(
        r#"
        print(pcall(pcall)) print(pcall(pcall, error, "e")) print(pcall(select, 2, "a", "b", "c"))
        print(pcall(nil)) print(pcall({}))
        print(xpcall(function(...) return select('#', ...), ... end, print, 1, nil, 3))
        print(xpcall(error, function(m) return m .. "!", "dropped" end, "oops"))
        print(pcall(xpcall)) print(pcall(xpcall, print)) print(pcall(xpcall, print, 1))
        print(xpcall(error, function(m) error("again") end, "first"))
        print(xpcall(function() local x = nil; return x.y end, function(m) return "<" .. m .. ">" end))
        print(pcall(function() return pcall(function() error({}) end) end) == true)
        "#,
        r#"
        false	bad argument #1 to 'pcall' (value expected)
        true	false	e
        true	b	c
        false	attempt to call a nil value
        false	attempt to call a table value
        true	3	1	nil	3
        false	oops!
        false	bad argument #2 to 'xpcall' (function expected, got no value)
        false	bad argument #2 to 'xpcall' (function expected, got no value)
        false	bad argument #2 to 'xpcall' (function expected, got number)
        false	error in error handling
        false	<t:7: attempt to index a nil value (local 'x')>
        true
        "#,
    );
}

#[test]
fn to_be_closed_in_protected_calls() {
    check(
        r#"
        local log = {}
        local function closer(n) return
        setmetatable({}, {__close = function(_, e) log[#log + 1] = n .. ":" .. tostring(e) end}) end
        print(pcall(function() local a <close> = closer("a") local b <close> = closer("b") error("boom", 0) end))
        print(pcall(function() local a <close> = closer("c") local b <close> = closer("d") return 1, 2 end))
        print(pcall(function() local a <close> = closer("e")
          local b <close> = setmetatable({}, {__close = function() error("in close", 0) end}) return 3 end))
        print(table.concat(log, " "))
        "#,
        r#"
        false	boom
        true	1	2
        false	in close
        b:boom a:boom d:nil c:nil e:in close
        "#,
    );
}

#[test]
fn the_kinds_of_arguments_are_checked() {
    check(
        r#"
        local function t(f, ...) print(select(2, pcall(f, ...))) end
        t(ipairs) t(pairs) t(next) t(next, {}, 1) t(rawlen, 1) t(rawget, 1) t(rawset, {}, nil, 1) t(rawset, {})
        t(rawset, {}, 0/0, 1) t(rawequal, 1)
        t(setmetatable, {}) t(setmetatable, {}, 1) t(setmetatable, 1, {}) t(getmetatable) t(type) t(tostring)
        t(tonumber)
        t(select) t(select, 0) t(select, -2, 1) t(select, {}) t(warn) t(warn, 1, {}) t(collectgarbage, "what")
        t(load) t(load, {})
        "#,
        r#"
        bad argument #1 to 'ipairs' (value expected)
        bad argument #1 to 'pairs' (value expected)
        bad argument #1 to 'next' (table expected, got no value)
        invalid key to 'next'
        bad argument #1 to 'rawlen' (table or string expected, got number)
        bad argument #1 to 'rawget' (table expected, got number)
        table index is nil
        bad argument #2 to 'rawset' (value expected)
        table index is NaN
        bad argument #2 to 'rawequal' (value expected)
        bad argument #2 to 'setmetatable' (nil or table expected, got no value)
        bad argument #2 to 'setmetatable' (nil or table expected, got number)
        bad argument #1 to 'setmetatable' (table expected, got number)
        bad argument #1 to 'getmetatable' (value expected)
        bad argument #1 to 'type' (value expected)
        bad argument #1 to 'tostring' (value expected)
        bad argument #1 to 'tonumber' (value expected)
        bad argument #1 to 'select' (number expected, got no value)
        bad argument #1 to 'select' (index out of range)
        bad argument #1 to 'select' (index out of range)
        bad argument #1 to 'select' (number expected, got table)
        bad argument #1 to 'warn' (string expected, got no value)
        bad argument #2 to 'warn' (string expected, got table)
        bad argument #1 to 'collectgarbage' (invalid option 'what')
        bad argument #1 to 'load' (function expected, got no value)
        bad argument #1 to 'load' (function expected, got table)
        "#,
    );
}

#[test]
fn print_writes_what_tostring_says() {
    check(
        r#"
        print() print(nil, true, false, 1, 1.0, -0.0, 1e100, "s", 2^53, math.maxinteger)
        local loud = setmetatable({}, {__tostring = function() return "loud" end})
        local named = setmetatable({}, {__name = "Named"})
        print(loud, 1, loud, "x", loud) print((tostring(named):gsub("0x%x+", "P")))
        print(pcall(print, 1, setmetatable({}, {__tostring = function() error("no text", 0) end})))
        print(pcall(print, setmetatable({}, {__tostring = function() return {} end})))
        print(tostring(setmetatable({}, {__tostring = function() return 5 end})) == "5")
        print((tostring(print):gsub("0x%x+", "P")), (tostring({}):gsub("0x%x+", "P")))
        local co = coroutine.wrap(function() print(setmetatable({}, {__tostring = function() return
        coroutine.isyieldable() and "y" or "n" end})) end)
        "#,
        r#"

        nil	true	false	1	1.0	-0.0	1e+100	s	9.007199254741e+15	9223372036854775807
        loud	1	loud	x	loud
        Named: P
        1false	no text
        false	'__tostring' must return a string
        true
        function: P	table: P
        "#,
    );
}

#[test]
fn tonumber_in_all_bases() {
    check(
        r#"
        for _, s in ipairs{"10", " 0x1F ", "1e2", "0x1p4", "1 2", "", " ", "0x", "1e", "nan", "inf", "5.", ".5",
        "."} do io.write(tostring(tonumber(s)), " ") end print()
        for _, a in ipairs{{"zz", 36}, {"-7fffffffffffffff ", 16}, {"8", 8}, {"", 10}, {"ffffffffffffffffff", 16},
        {"1e1", 10}, {" +11", 2}, {"-", 10}, {"1.0", 10}, {"9", 9}} do
          io.write(tostring(tonumber(a[1], a[2])), " ") end print()
        print(tonumber(nil)) print(tonumber({})) print(pcall(tonumber, 1, 10)) print(pcall(tonumber, "1", 37))
        print(pcall(tonumber, "1", 1)) print(pcall(tonumber, "10", 2.5))
        "#,
        r#"
        10 31 100.0 16.0 nil nil nil nil nil nil nil 5.0 0.5 nil 
        1295 -9223372036854775807 nil nil -1 nil 3 nil nil nil 
        nil
        nil
        false	bad argument #1 to 'tonumber' (string expected, got number)
        false	bad argument #2 to 'tonumber' (base out of range)
        false	bad argument #2 to 'tonumber' (base out of range)
        false	bad argument #2 to 'tonumber' (number has no integer representation)
        "#,
    );
}

#[test]
fn tables_are_walked_in_all_ways() {
    check(
        r#"
        local t = {10, 20, nil, 40, x = 1} local n = 0
        for i, v in ipairs(t) do io.write(i, "=", v, " ") end for k, v in pairs(t) do n = n + v end
        print(n, next({}), rawlen(t) >= 2)
        local proxy = setmetatable({}, {__index = function(_, i) if i <= 3 then return i * i end end})
        for i, v in ipairs(proxy) do io.write(i, "=", v, " ") end print()
        local through = setmetatable({}, {__index = t}) for i, v in ipairs(through) do io.write(i, ":", v, " ") end
        print()
        local custom =
        setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, 2 end end, t, nil,
        "dropped" end})
        for k, v in pairs(custom) do print(k, v) end print(select('#', pairs(custom)))
        print(pcall(function() for _ in ipairs(nil) do end end)) print(pcall(function()
        for _ in pairs(nil) do end end)) print(pcall(next, {}, "nokey"))
        print(rawequal("a" .. "b", "ab"), rawequal({}, {}), rawget(proxy, 1), rawlen("four"), rawset(proxy, 9, 9)
        == proxy, rawget(proxy, 9))
        "#,
        r#"
        1=10 2=20 71	nil	true
        1=1 2=4 3=9 
        1:10 2:20 
        1	2
        3
        false	attempt to index a nil value
        false	t:13: bad argument #1 to 'for iterator' (table expected, got nil)
        false	invalid key to 'next'
        true	false	nil	4	true	9
        "#,
    );
}

#[test]
fn metatables_are_protected() {
    check(
        r#"
        local p = setmetatable({}, {__metatable = "locked"})
        print(getmetatable(p), pcall(setmetatable, p, {}))
        print(getmetatable("").__index == string, getmetatable(1), getmetatable({}))
        local t = setmetatable({}, {}) print(setmetatable(t, nil) == t, getmetatable(t))
        "#,
        r#"
        locked	false	cannot change a protected metatable
        true	nil	nil
        true	nil
        "#,
    );
}

#[test]
fn select_counts_from_both_ends() {
    check(
        r#"
        print(select('#')) print(select('#', nil, nil)) print(select(2, "a", "b", "c"))
        print(select(-1, "a", "b", "c")) print(select(-3, "a", "b", "c"))
        print(select(4, 1, 2, 3)) print(select(1e2, 1)) print(select("2", 1, 2)) print(pcall(select, 1.5))
        "#,
        r#"
        0
        2
        b	c
        c
        a	b	c


        2
        false	bad argument #1 to 'select' (number has no integer representation)
        "#,
    );
}

#[test]
fn types_and_version() {
    check(
        r#"
        print(type(nil), type(1), type("x"), type({}), type(print), type(coroutine.create(print)), type(true),
        type(io.stdout), _VERSION, _G._G == _G)
        "#,
        r#"
        nil	number	string	table	function	thread	boolean	userdata	Lua 5.4	true
        "#,
    );
}
