-- LuaJIT's table.new and table.clear.
-- dialect: 5.1
local new, clear = require "table.new", require "table.clear" print(table.new == new, table.clear == clear)
local t = new(100, 10) print(#t, next(t)) for i = 1, 100 do t[i] = i end t.x = 1 print(#t) clear(t) print(#t, next(t), t.x) t[1] = "again" print(#t)
local m = setmetatable({1, 2, a = 3}, {__newindex = error}) clear(m) print(next(m), getmetatable(m) ~= nil) print(pcall(new)) print(pcall(new, "x", 1)) print(pcall(clear)) print(#new(0, 0))
local ok, narr = pcall(require, "table.new") print(ok, type(narr))
--> true	true
--> 0	nil
--> 100
--> 0	nil	nil
--> 1
--> nil	true
--> false	bad argument #1 to '?' (number expected, got no value)
--> false	bad argument #1 to '?' (number expected, got string)
--> false	bad argument #1 to '?' (table expected, got no value)
--> 0
--> true	function
