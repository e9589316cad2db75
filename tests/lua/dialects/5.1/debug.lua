-- The debug library of 5.1: no environment among the captured variables.
-- dialect: 5.1
local up1, up2 = 1, 2 local function f(a, b) up1 = up1 + a return up2, x, print end
local i = debug.getinfo(f) local keys = {} print(i.nups, i.what, i.namewhat, i.linedefined, i.lastlinedefined, i.currentline, i.short_src, i.source)
for n = 1, 4 do print(n, (debug.getupvalue(f, n)), (select(2, debug.getupvalue(f, n)))) end print(debug.setupvalue(f, 1, 10), (f(1, 2))) print(debug.getupvalue(print, 1), debug.setupvalue(f, 9, 1)) print(debug.getupvalue(f, 0)) print(pcall(debug.getupvalue, f, -1))
local info = debug.getinfo(print) print(info.what, info.short_src, info.nups, info.currentline, info.linedefined)
print(debug.getinfo(1, "l").currentline, debug.getinfo(1, "S").what, debug.getinfo(50)) print(pcall(debug.getinfo, f, "x")) print(pcall(debug.getinfo, "x")) print(pcall(debug.getinfo))
local function names() local i = debug.getinfo(1, "n") return i.name, i.namewhat end local a, b = names() print(a, b) local t = {m = names} local a, b = t.m() print(a, b) local a, b = t:m() print(a, b) globaln = names local a, b = globaln() print(a, b)
local L = {} for l in pairs(debug.getinfo(f, "L").activelines) do L[#L+1] = l end table.sort(L) print(table.concat(L, ","))
do local x, y = 1, 2 print(debug.getlocal(1, 1)) local n, names = 1, {} while true do local k, v = debug.getlocal(1, n) if not k then break end names[n] = k n = n + 1 end print(table.concat(names, " ")) end
print(pcall(debug.getlocal, 99, 1)) print(debug.setlocal(1, 1, 5), up1) print(debug.getmetatable("").__index == string, type(debug.getregistry())) print(debug.setmetatable(10, {__index = function(n, k) return k end}) ~= nil, (5).foo) debug.setmetatable(10, nil)

local function h(...) for i = 1, 3 do local v = ... end local n = 1 while true do local k = debug.getlocal(1, n) if not k then break end io.write(k, " ") n = n + 1 end print() end h(1, 2)
for i = 1, 1 do for k, v in pairs({1}) do local n = 1 while true do local k = debug.getlocal(1, n) if not k then break end io.write(k, " ") n = n + 1 end print() end end
local d = loadstring or load local g = d(string.dump(function(a) return a + 1 end)) print(g(1)) local g = d(string.dump(function() return print end)) print(g() == print) print(pcall(string.dump, print))
--> 2	Lua		3	3	-1	dialects/5.1/debug.lua	@dialects/5.1/debug.lua
--> 1	up1	1
--> 2	up2	2
--> 3	nil	nil
--> 4	nil	nil
--> up1	2
--> nil
-->
--> true
--> C	[C]	0	-1	-1
--> 7	main	nil
--> false	bad argument #2 to '?' (invalid option)
--> false	bad argument #1 to '?' (function or level expected)
--> false	bad argument #1 to '?' (function or level expected)
--> names	local
--> m	field
--> m	method
--> globaln	global
--> 3
--> up1	11
--> up1 up2 f i keys info names a b t a b a b a b L x y n names
--> false	bad argument #1 to '?' (level out of range)
--> up1	5
--> true	table
--> true	foo
--> arg n 
--> up1 up2 f i keys info names a b t a b a b a b L h (for index) (for limit) (for step) i (for generator) (for state) (for control) k v n 
--> 2
--> true
--> false	unable to dump given function
