-- Metatables of basic types through the debug library.
debug.setmetatable(0, {__index = {double = function(n) return n * 2 end}, __call = function(n, x) return n + x end, __len = function(n) return n end})
print((5):double(), (3)(4), #7, (2.5):double())
debug.setmetatable(0, nil)
print(pcall(function() return (5):double() end))
debug.setmetatable(nil, {__index = function() return "nil field" end})
local nothing
print(nothing.x, nothing.y)
debug.setmetatable(nil, nil)
print(pcall(function() return nothing.x end))
debug.setmetatable(true, {__tostring = function(b) return b and "YES" or "NO" end, __add = function(a, b) return "bool add" end})
print(tostring(true), tostring(false), true + 1, 1 + false)
debug.setmetatable(true, nil)
debug.setmetatable(print, {__index = {name = "function field"}, __concat = function() return "joined" end})
print(print.name, print .. "x", (function() end).name)
debug.setmetatable(print, nil)
local co = coroutine.create(print)
debug.setmetatable(co, {__index = coroutine})
print(co:status())
debug.setmetatable(co, nil)
print(io.stdout ~= nil, type(io.stdout), getmetatable(io.stdout).__name)
print(pcall(function() return io.stdout + 1 end))
print(pcall(function() return io.stdout.nothing end), pcall(function() io.stdout.x = 1 end))
print(debug.getmetatable("").__index == string, debug.getmetatable(5))
--> 10	7	7	5.0
--> false	metatables/userdata_and_types.lua:5: attempt to index a number value
--> nil field	nil field
--> false	metatables/userdata_and_types.lua:10: attempt to index a nil value (upvalue 'nothing')
--> YES	NO	bool add	bool add
--> function field	joined	function field
--> suspended
--> true	userdata	FILE*
--> false	metatables/userdata_and_types.lua:22: attempt to perform arithmetic on a FILE* value (field 'stdout')
--> true	false	metatables/userdata_and_types.lua:23: attempt to index a FILE* value (field 'stdout')
--> true	nil
