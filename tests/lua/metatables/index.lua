-- __index: tables, functions, chains, strings, and what does not trigger it.
local base = {inherited = "from base", shadowed = "base"}
local middle = setmetatable({shadowed = "middle"}, {__index = base})
local object = setmetatable({own = "own"}, {__index = middle})
print(object.own, object.inherited, object.shadowed, object.missing)
local computed = setmetatable({}, {__index = function(t, k) return tostring(k) .. "!", "dropped" end})
print(computed.x, computed[1], computed[true], computed[1.5], (computed["a b"]))
print(rawget(computed, "x"))
-- A value nil in the table still asks, false does not.
local t = setmetatable({f = false}, {__index = function() return "asked" end})
print(t.f, t.g, t[nil])
-- Function at the end of a chain of tables gets the last table.
local last = setmetatable({}, {__index = function(self, k) return rawget(self, "tag"), k end})
rawset(last, "tag", "I am last")
local chain = setmetatable({}, {__index = setmetatable({}, {__index = last})})
print((chain.anything))
-- __index on a non-table value through its metatable.
print(("x").len == string.len, ("abc"):len(), #("abc"), ("x").nothing)
-- Memoizing.
local calls = 0
local squares = setmetatable({}, {__index = function(self, k) calls = calls + 1 local v = k * k rawset(self, k, v) return v end})
print(squares[3], squares[3], squares[4], calls)
-- Fields as methods, with a changing metatable.
local mt = {__index = {name = "first"}}
local o = setmetatable({}, mt)
print(o.name) mt.__index = {name = "second"} print(o.name)
mt.__index = nil print(o.name)
setmetatable(o, nil) print(o.name, getmetatable(o))
-- Errors.
print(pcall(function() local x = setmetatable({}, {__index = 5}) return x.y end))
print(pcall(function() local x = setmetatable({}, {__index = "str"}) return x.len == string.len, x.y end))
print(pcall(function() local x = {} x = setmetatable(x, {__index = function() error("inside", 0) end}) return x.y end))
local loop = {} setmetatable(loop, {__index = loop})
print(pcall(function() return loop.x end))
local long = {}
for i = 1, 50 do long = setmetatable({}, {__index = long}) end
print(long.x)
-- Integer keys, holes and array parts.
local arr = setmetatable({1, 2, nil, 4}, {__index = function(_, k) return "hole" .. k end})
print(arr[1], arr[3], arr[4], arr[5], arr[0], arr[-1])
for i = 1, 2 do local k = "key" .. i; print(arr[k]) end
--> own	from base	middle	nil
--> x!	1!	true!	1.5!	a b!
--> nil
--> false	asked	asked
--> I am last
--> true	3	3	nil
--> 9	9	16	2
--> first
--> second
--> nil
--> nil	nil
--> false	metatables/index.lua:30: attempt to index a number value
--> true	true	nil
--> false	inside
--> false	metatables/index.lua:34: '__index' chain too long; possible loop
--> nil
--> 1	hole3	4	hole5	hole0	hole-1
--> holekey1
--> holekey2
