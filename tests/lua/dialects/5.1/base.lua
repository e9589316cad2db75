-- Basic functions and coroutines of 5.1.
-- dialect: 5.1
print(pcall(coroutine.status, 1)) print(pcall(coroutine.resume, 1)) print(pcall(coroutine.yield, 1))
local co co = coroutine.create(function() print(coroutine.resume(co)) print(coroutine.status(co)) error("x") end) print(coroutine.resume(co)) print(coroutine.resume(co)) print(coroutine.status(co))
local w = coroutine.wrap(function() error("boom") end) print(pcall(w)) print(pcall(w)) w = coroutine.wrap(function() error({}) end) print(type(select(2, pcall(w)))) print(coroutine.wrap(function(...) local a = coroutine.yield(...) return a end)(1, 2))
print(pcall(function() collectgarbage("x") end)) print(select("#", collectgarbage("count"))) print(collectgarbage("setpause", 200) >= 0, collectgarbage("setpause", 150)) print(collectgarbage(), collectgarbage("stop"), collectgarbage("restart"))
print(pcall(load, function() return {} end)) print(loadstring("x x", "=n")) print(loadstring("return ...", "=n")(1, 2)) print(loadfile("/nonexistent")) print(pcall(dofile, "/nonexistent")) local parts = {"return ", "1 + ", "1"} local i = 0 print(load(function() i = i + 1 return parts[i] end)())
print(pcall(error)) print(pcall(error, nil)) print(pcall(assert, false)) print(pcall(function() assert(false) end)) print(pcall(function() assert(nil, "m") end)) print(pcall(function() assert(nil, 5) end)) print(pcall(assert, nil, "m")) print(assert(1, 2, 3)) print(pcall(assert, false, nil)) print(pcall(error, {}) , select("#", pcall(error)))
print(pcall(next, {}, "x")) print(pcall(rawset, {}, nil, 1)) print(pcall(function() local t = {} t[nil] = 1 end)) print(pcall(function() local t = {} t[0 / 0] = 1 end))
print(type(tostring(setmetatable({}, {__tostring = function() return {} end}))), tostring(setmetatable({}, {__tostring = function() return 1 end}))) print(pcall(print, setmetatable({}, {__tostring = function() return {} end}))) print(tostring(setmetatable({}, {__name = "My"})):match("^%a+"))
print(getmetatable("").__add, getmetatable("").__index == string, ("x").len == string.len, #_VERSION, _G._G == _G, select("#", nil, nil), type(newproxy))
do local old = tostring function tostring(v) return "<" .. old(v) .. ">" end print(1, nil, "s", true) tostring = function() return 1 end print({}) tostring = function() return {} end local a, b = pcall(print, 1) tostring = nil local c, d = pcall(print, 1) tostring = old print(a, b, c, d) end print(tostring(1))
for i, v in ipairs(setmetatable({1, 2}, {__index = function(t, k) if k < 5 then return k end end})) do io.write(i, " ") end print() for k, v in pairs({10, x = 1}) do io.write(tostring(k), " ") end print() print(pcall(function() ipairs() end)) print(pcall(function() for _ in pairs() do end end)) print(select(-2, "a", "b", "c"), pcall(function() select(0) end))
print(xpcall(function() error("e", 0) end, function(m) return m .. "!" end)) print(xpcall(function() error() end, function(m) return type(m) end)) print(pcall(pcall)) print(pcall(pcall, error)) print(rawequal("a", "a"), rawget({5}, 1), rawequal({}, {}))
print(package.loaded.string == string, package.loaded._G == _G, require "string" == string, pcall(require, 5) == false, type(package.preload), type(package.loaders))

print(coroutine.running(), coroutine.wrap(function() return type(coroutine.running()) end)()) print(pcall(coroutine.create, 1)) print(pcall(coroutine.wrap, nil)) co = coroutine.wrap(function() local c = coroutine.running() return coroutine.wrap(function() return coroutine.resume(c) end)() end) print(co()) print(gcinfo() > 0, gcinfo() % 1, type(getfenv), rawlen)
--> false	bad argument #1 to '?' (coroutine expected)
--> false	bad argument #1 to '?' (coroutine expected)
--> false	attempt to yield across metamethod/C-call boundary
--> false	cannot resume running coroutine
--> running
--> false	dialects/5.1/base.lua:4: x
--> false	cannot resume dead coroutine
--> dead
--> false	dialects/5.1/base.lua:5: boom
--> false	cannot resume dead coroutine
--> table
--> 1	2
--> false	dialects/5.1/base.lua:6: bad argument #1 to 'collectgarbage' (invalid option 'x')
--> 1
--> true	200
--> 0	0	0
--> true	nil	reader function must return a string
--> nil	n:1: '=' expected near 'x'
--> 1	2
--> nil	cannot open /nonexistent: No such file or directory
--> false	cannot open /nonexistent: No such file or directory
--> 2
--> false	nil
--> false	nil
--> false	assertion failed!
--> false	dialects/5.1/base.lua:8: assertion failed!
--> false	dialects/5.1/base.lua:8: m
--> false	dialects/5.1/base.lua:8: 5
--> false	m
--> 1	2	3
--> false	assertion failed!
--> false	2
--> false	invalid key to 'next'
--> false	table index is nil
--> false	dialects/5.1/base.lua:9: table index is nil
--> false	dialects/5.1/base.lua:9: table index is NaN
--> table	1
--> false	'tostring' must return a string to 'print'
--> table
--> nil	true	true	7	true	2	function
--> <1>	<nil>	<s>	<true>
--> 1
--> false	'tostring' must return a string to 'print'	false	attempt to call a nil value
--> 1
--> 1 2 
--> 1 x 
--> false	dialects/5.1/base.lua:13: bad argument #1 to 'ipairs' (table expected, got no value)
--> false	dialects/5.1/base.lua:13: bad argument #1 to 'pairs' (table expected, got no value)
--> b	false	dialects/5.1/base.lua:13: bad argument #1 to 'select' (index out of range)
--> false	e!
--> false	nil
--> false	bad argument #1 to '?' (value expected)
--> true	false	nil
--> true	5	false
--> true	true	true	true	table	table
--> nil	thread
--> false	bad argument #1 to '?' (Lua function expected)
--> false	bad argument #1 to '?' (Lua function expected)
--> false	cannot resume normal coroutine
--> true	0	function	nil
