-- load: names, modes, environments, reader functions, errors, results.
print(load("return 1 + 1")()) print(load("x = "))
print(load("syntax error here", "=name")) print(load("return ...", "n")(1, 2, 3))
print(load("", "empty")()) print(load("return _ENV", "n", "t", 42)())
local env = {print = print} load("y = 5 print(y, x)", "n", "t", env)() print(env.y, y)
local f = load("return z", "n", "t", {z = "from env"}) print(f())
print((debug.getupvalue(f, 1))) print(load("return z")(), z)

local pieces = {"return ", "1 ", "+ ", "2", nil} local i = 0
print(load(function() i = i + 1 return pieces[i] end)())
i = 0 load(function() i = i + 1 return i < 5 and "x" .. i .. " = " .. i .. " " or "" end)()
print(x1, x4)
print(pcall(load, function() return {} end))
print(pcall(load, function() error("in reader", 0) end)) print(pcall(load))
print(pcall(load, nil)) print(pcall(load, {}))
print(load("return 1", "n", "b")) print(load("return 1", "n", "bt")())
print(load("return 1", "n", "x")) print(pcall(load, "return 1", "n", 5))
print(load("error('x')", "@some/file.lua") ~= nil, pcall(load("error('x')", "@some/file.lua")))
print(pcall(load("error('x')", "=(custom)"))) print(pcall(load("error('x')")))
print(pcall(load("\n\nerror('x')", "first line\nsecond line")))
print(pcall(load("error('x')", "")))
local g = load("local a = 1; return function() a = a + 1 return a end")() print(g(), g())
local h1, h2 = load("counter = (counter or 0) + 1 return counter"), load("counter = (counter or 0) + 1 return counter")
print(h1(), h2(), h1())
print(select("#", load("return nil, nil")())) print(load("goto x")) print(load("return 'a\\z   b'")())
print(load("x = 1 x")) print(load("for")) print(load("x = 'unclosed"))
print(load("return " .. ("("):rep(100) .. "1" .. (")"):rep(100))())
print(dofile("lib/nested/init.lua")) print(pcall(dofile, "lib/none.lua"))
print(loadfile("lib/none.lua")) print(loadfile("lib/broken.lua"))
print(loadfile("lib/simple.lua", "t", {}) ~= nil, loadfile("lib/simple.lua", "b"))
print(pcall(dofile, "lib/failing.lua"))
--> 2
--> nil	[string "x = "]:1: unexpected symbol near <eof>
--> nil	name:1: syntax error near 'error'
--> 1	2	3
-->
--> 42
--> 5	nil
--> 5	nil
--> from env
--> _ENV
--> nil	nil
--> 3
--> 1	4
--> true	nil	reader function must return a string
--> true	nil	in reader
--> false	bad argument #1 to 'load' (function expected, got no value)
--> false	bad argument #1 to 'load' (function expected, got nil)
--> false	bad argument #1 to 'load' (function expected, got table)
--> nil	attempt to load a text chunk (mode is 'b')
--> 1
--> nil	attempt to load a text chunk (mode is 'x')
--> true	nil	attempt to load a text chunk (mode is '5')
--> true	false	some/file.lua:1: x
--> false	(custom):1: x
--> false	[string "error('x')"]:1: x
--> false	[string "first line..."]:3: x
--> false	[string ""]:1: x
--> 2	3
--> 1	2	3
--> 2
--> nil	[string "goto x"]:1: no visible label 'x' for <goto> at line 1
--> ab
--> nil	[string "x = 1 x"]:1: syntax error near <eof>
--> nil	[string "for"]:1: <name> expected near <eof>
--> nil	[string "x = 'unclosed"]:1: unfinished string near <eof>
--> 1
--> nested module
--> false	cannot open lib/none.lua: No such file or directory
--> nil	cannot open lib/none.lua: No such file or directory
--> nil	lib/broken.lua:2: unexpected symbol near '='
--> true	nil	attempt to load a text chunk (mode is 'b')
--> false	lib/failing.lua:2: failed while loading
