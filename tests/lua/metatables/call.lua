-- __call: arguments, chains, results, tail calls, and use by the libraries.
local f = setmetatable({name = "f"}, {__call = function(self, ...) return self.name, select("#", ...), ... end})
print(f()) print(f(1, nil)) print((f(1)))
local chain = setmetatable({}, {__call = f})
print(select("#", chain("x")), (chain("x")), select(4, chain("x")))
print(pcall(f, 1, 2))
print(select(2, xpcall(f, print, "arg")))
local co = coroutine.wrap(function(...) return f(...) end)
print(co("in coroutine"))
print(pcall(table.sort, {3, 1, 2}, f))
print((("abc"):gsub("%w", setmetatable({}, {__call = function(_, c) return c:upper() end, __index = function(_, k) return k .. k end}))))
local object = {method = setmetatable({}, {__call = function(self, receiver, x) return receiver.tag, x end}), tag = "object"}
print(object:method(5))
print(pcall(function() local x = setmetatable({}, {__call = 5}) x() end))
print(pcall(function() local x = setmetatable({}, {}) x() end))
print(pcall(setmetatable({}, {__call = function() error("inside", 0) end})))
local class = setmetatable({}, {__call = function(cls, ...) return setmetatable({...}, {__index = cls}) end})
function class:count() return #self end
print(class(1, 2, 3):count())
for a, b in setmetatable({}, {__call = function(_, _, i) i = (i or 0) + 1 if i < 3 then return i, i * 2 end end}) do io.write(a, b, " ") end
print()
print(pcall(coroutine.create, f))
--> f	0
--> f	2	1	nil
--> f
--> 4	f	x
--> true	f	2	1	2
--> f	1	arg
--> f	1	in coroutine
--> false	bad argument #2 to 'table.sort' (function expected, got table)
--> aabbcc
--> object	5
--> false	metatables/call.lua:14: attempt to call a number value (local 'x')
--> false	metatables/call.lua:15: attempt to call a table value (local 'x')
--> false	inside
--> 3
--> 12 24 
--> false	bad argument #1 to 'coroutine.create' (function expected, got table)
