-- string.dump gives a chunk that load reads back, with and without debug information.
local function f(a, b) local c = a + b return c, "constant", 1.5, nil, true end
local g = load(string.dump(f), "dumped", "b") print(g(1, 2))
local stripped = load(string.dump(f, true)) print(stripped(3, 4))
local up = 10
local function counter() up = up + 1 return up end
local c = load(string.dump(counter)) print(pcall(c)) debug.setupvalue(c, 1, 5) print(c())
print(debug.getupvalue(c, 1)) print(debug.getinfo(g, "S").linedefined, debug.getinfo(g, "S").short_src)
local outer = load(string.dump(function(...) local n = select("#", ...) local function inner() n = n + 1 return n end return inner(), inner(), ... end)) 
print(pcall(outer, 1, 2))
local whole = load(string.dump(load("local a <const> = 5; local t = {x = a, 1, 2}; for i = 1, 3 do t[i] = i * a end; goto done; ::done:: return t.x, #t, t[3], ...")))
print(whole("va", "rargs"))
print(pcall(string.dump, print)) print(pcall(string.dump)) print(pcall(string.dump, "x"))
print(load(string.dump(f), "x", "t")) print(load("return 1", "x", "b"))
print(load("\27garbage", "x") == nil, load("\27Lua", "x") == nil, select("#", load("\27Lua")))
local d = string.dump(f)
for i = 1, #d, 7 do assert(not pcall(load(d:sub(1, i)) or error)) end
print("truncated chunks are refused")
--> 3	constant	1.5	nil	true
--> 7	constant	1.5	nil	true
--> false	string/dump.lua:6: attempt to perform arithmetic on a table value (upvalue 'up')
--> 6
--> up	6
--> 2	string/dump.lua
--> true	3	4	1	2
--> 5	3	15	va	rargs
--> false	unable to dump given function
--> false	bad argument #1 to 'string.dump' (function expected, got no value)
--> false	bad argument #1 to 'string.dump' (function expected, got string)
--> nil	attempt to load a binary chunk (mode is 't')
--> nil	attempt to load a text chunk (mode is 'b')
--> true	true	2
--> truncated chunks are refused
