-- Metamethods of 5.1: none for the length of tables, for pairs, or for tables that die; both operands must agree.
-- dialect: 5.1
local p = newproxy(true) getmetatable(p).__len = function() return 7 end getmetatable(p).__index = function(_, k) return k end print(#p, p.foo, type(p)) local p2 = newproxy(p) print(#p2, getmetatable(newproxy()), getmetatable(newproxy(false))) print(pcall(newproxy, {})) print(pcall(newproxy, io.stdout))
do local q = newproxy(true) getmetatable(q).__gc = function() print("collected") end end collectgarbage() collectgarbage()
-- metamethods
print(#setmetatable({1,2}, {__len = function() return 9 end})) for k, v in pairs(setmetatable({a = 1}, {__pairs = function() return function() end end})) do print(k, v) end
local A, B = {__eq = function() return true end}, {__eq = function() return true end} print(setmetatable({}, A) == setmetatable({}, A), setmetatable({}, A) == setmetatable({}, B)) print(pcall(function() return setmetatable({}, {__lt = function() return true end}) < {} end)) local L = {__lt = function() return true end} print(setmetatable({}, L) < setmetatable({}, L), setmetatable({}, L) <= setmetatable({}, L)) print(pcall(function() return setmetatable({}, L) < 1 end))
local c = setmetatable({}, {__concat = function(a, b) return "cat" end}) print(c .. 1, 1 .. c, "a" .. "b" .. c) print(-setmetatable({}, {__unm = function() return "neg" end})) print(setmetatable({}, {__tostring = function() return "ts" end}))
local t = setmetatable({}, {__gc = function() print("never") end}) t = nil collectgarbage()
print(rawlen, table.pack, table.unpack, warn, utf8, math.type, string.pack, coroutine.close, bit32)
-- varargs and numbers
local function va(...) return arg.n, #arg, arg[1] end print(va(1, 2, nil)) local function vb(...) local a = ... return arg end print(vb(1)) 
print(10 / 2, 3 % -2, -3 % 2, 5 % 0, 2^0.5, 7 % 2.5, 1e300 * 1e10, -1e300 * 1e10)
--> 7	foo	userdata
--> 7	nil	nil
--> false	bad argument #1 to '?' (boolean or proxy expected)
--> false	bad argument #1 to '?' (boolean or proxy expected)
--> collected
--> 2
--> a	1
--> true	false
--> false	dialects/5.1/metamethods.lua:7: attempt to compare two table values
--> true	false
--> false	dialects/5.1/metamethods.lua:7: attempt to compare table with number
--> cat	cat	acat
--> neg
--> ts
--> nil	nil	nil	nil	nil	nil	nil	nil	nil
--> 3	2	1
--> nil
--> 5	-1	1	-nan	1.4142135623731	2	inf	-inf
