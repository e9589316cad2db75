-- Values of kv come back as they were, and share nothing with what was stored.
local kv = require "kv"
local function show(v) return math.type(v) or type(v), v end

for _, v in ipairs { 1, 1.0, -0.0, math.mininteger, 1 / 0, true, false, "", "a\0b", "12" } do
  kv.set("v", v)
  print(show(kv.get("v")))
end
kv.set("v", 0 / 0)
local nan = kv.get("v")
print(nan ~= nan)

local t = { 1, 2.0, "three", { deep = { deeper = true } }, [10] = "ten", [1.5] = "half", [true] = 1 }
t.me, t.a, t.b = t, t[4], t[4]
print(kv.set("t", t))
t[4].deep = "changed"
local u = kv.get("t")
print(u ~= t, math.type(u[1]), math.type(u[2]), u[3], u[4].deep.deeper, u[10], u[1.5], u[true])
print(u.me == u, u.a == u.b, u.a == u[4])
kv.set("null", { json.null, ngx.null, list = json.array({}) })
local n = kv.get("null")
print(n[1] == json.null, n[2] == ngx.null, json.encode(n.list))
kv.set("null", ngx.null)
print(kv.get("null") == ngx.null)

-- What is no data is an error, and says where it is.
print(pcall(kv.set, "f", print))
print(pcall(kv.set, "f", { a = { print } }))
print(pcall(kv.set, "f", setmetatable({}, { __index = print })), next(kv.get("f")), getmetatable(kv.get("f")))
print(pcall(kv.set, "f", coroutine.create(print)))
print(pcall(kv.set))
print(pcall(kv.set, {}, 1))
print(pcall(kv.get))
print(pcall(kv.incr, "n", "x"))
print(pcall(kv.add, "n"))
print(pcall(kv.set, "n", 1, -1))
print(pcall(kv.set, "n", 1, "x"))
print(pcall(kv.cas, "n", {}, 1))
print(pcall(kv.transaction))
print(pcall(kv.list, "", 5))
print(pcall(function() kv.x = 1 end))
--> integer	1
--> float	1.0
--> float	-0.0
--> integer	-9223372036854775808
--> float	inf
--> boolean	true
--> boolean	false
--> string	
--> string	a\x00b
--> string	12
--> true
--> true
--> true	integer	float	three	true	ten	half	1
--> true	true	true
--> true	true	[]
--> true
--> false	values.lua:27: bad argument #2 to 'set' (string, number, boolean or table expected, got function)
--> false	values.lua:28: bad argument #2 to 'set' (.a[1] is a function)
--> true	nil	nil
--> false	values.lua:30: bad argument #2 to 'set' (string, number, boolean or table expected, got thread)
--> false	bad argument #1 to 'kv.set' (string expected, got nil)
--> false	bad argument #1 to 'kv.set' (string expected, got table)
--> false	bad argument #1 to 'kv.get' (string expected, got nil)
--> false	values.lua:34: bad argument #2 to 'incr' (number expected, got string)
--> false	values.lua:35: bad argument #2 to 'add' (value expected)
--> false	values.lua:36: bad argument #3 to 'set' (seconds from 0 expected)
--> false	bad argument #3 to 'kv.set' (number expected, got string)
--> false	values.lua:38: bad argument #2 to 'cas' (a table is never the same: use a transaction)
--> false	bad argument #1 to 'transaction' (function expected, got no value)
--> false	bad argument #2 to 'kv.list' (table expected, got number)
--> false	values.lua:41: attempt to modify a read-only table
