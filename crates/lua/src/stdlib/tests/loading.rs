//! `load` in all its forms.

use super::check;

#[test]
fn strings() {
    check(
        r#"
        print(load("return 1, ...")(2)) print(load("x =")) print(load("x = = 1", "=name"))
        print(load("x = = 1", "@file.lua")) print(pcall(load("error('in chunk')", "=c")))
        print(load(5)) print(pcall(load, "x", {})) print(pcall(load)) print(pcall(load, nil)) print(type(load("")))
        "#,
        r#"
        1	2
        nil	[string "x ="]:1: unexpected symbol near <eof>
        nil	name:1: unexpected symbol near '='
        nil	file.lua:1: unexpected symbol near '='
        false	c:1: in chunk
        nil	[string "5"]:1: unexpected symbol near '5'
        false	bad argument #2 to 'load' (string expected, got table)
        false	bad argument #1 to 'load' (function expected, got no value)
        false	bad argument #1 to 'load' (function expected, got nil)
        function
        "#,
    );
}

#[test]
fn environments() {
    check(
        r#"
        print(load("return x", "=x", "t", {x = 5})()) print(pcall(load("return x", "=x", "t", nil)))
        print(load("y = 1 return y", "=x", nil, {})(), y)
        local env = {} load("a = 1 function f() return a end", "=x", "t", env)() print(env.a, env.f())
        local f = load("return function() z = 3 return _ENV end", "=x", "t", {k = 1})() print(f().k, f().z, z)
        "#,
        r#"
        5
        false	x:1: attempt to index a nil value (upvalue '_ENV')
        1	nil
        1	1
        1	3	nil
        "#,
    );
}

#[test]
fn modes() {
    check(
        r#"
        print(load("return 1", "=x", "b")) print(load("return 1", "=x", "q")) print(load("\27Lua", "=x", "t"))
        print(load("\27Lua junk"))  print(type(load("return 1", "=x", "bt")))
        local f = function(a) return a * 2, "const", 1.5 end print(load(string.dump(f), "=d", "b")(21))
        print(load(string.dump(f, true))(4)) print(load(string.dump(f), "=d", "t"))
        local n = 0 local function up() n = n + 1 return n end local copy = load(string.dump(up))
        print(pcall(copy)) print(up(), n)
        "#,
        r#"
        nil	attempt to load a text chunk (mode is 'b')
        nil	attempt to load a text chunk (mode is 'q')
        nil	attempt to load a binary chunk (mode is 't')
        nil	binary string: bad binary format (version mismatch)
        function
        42	const	1.5
        8	const	1.5
        nil	attempt to load a binary chunk (mode is 't')
        false	t:5: attempt to perform arithmetic on a table value (upvalue 'n')
        1	1
        "#,
    );
}

#[test]
fn readers() {
    check(
        r#"
        local function reader(...) local t, i = {...}, 0 return function() i = i + 1 return t[i] end end
        print(load(reader("return ", "1", " + 2"))()) print(load(reader("return ", "", "garbage"))())
        print(load(reader("ret", "urn", " '", "x", "'"))()) print(load(reader("x =")))
        print(load(reader("x ="), "=named")) print(load(function() error("reader fails", 0) end))
        print(load(function() return {} end)) print(load(reader("return ", 12))())
        print(load(reader("return v"), "=n", "t", {v = "env"})()) print(load(reader("return 1"), "=n", "b"))
        print(select(2, load(function() error({}) end)) ~= nil)
        local long = {} for i = 1, 300 do long[i] = "s = (s or 0) + " .. i .. "\n" end long[301] = "return s"
        local k = 0 print(load(function() k = k + 1 return long[k] end)()) s = nil
        "#,
        r#"
        3

        x
        nil	(load):1: unexpected symbol near <eof>
        nil	named:1: unexpected symbol near <eof>
        nil	reader fails
        nil	t:5: reader function must return a string
        12
        env
        nil	attempt to load a text chunk (mode is 'b')
        true
        45150
        "#,
    );
}
