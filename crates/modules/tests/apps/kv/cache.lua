-- cache: as kv, in memory.
local cache = require "cache"
print("absent", cache.get("a"), cache.ttl("a"))
print("set", cache.set("a", 1), cache.get("a"), cache.ttl("a"))
print("set nil", cache.set("a", nil), cache.set("a", nil), cache.get("a"))
print("add", cache.add("a", "x"), cache.add("a", "y"), cache.get("a"))
print("delete", cache.delete("a"), cache.delete("a"))
for _, v in ipairs { 1, 1.0, true, false, "", "a\0b" } do
  cache.set("v", v)
  print(math.type(cache.get("v")) or type(cache.get("v")), cache.get("v"))
end
local t = { 1, { 2.0 }, n = ngx.null, j = json.null }
t.me = t
cache.set("t", t)
t[2][1] = "changed"
local u = cache.get("t")
print(u ~= t, u[2][1], u.me == u, u.n == ngx.null, u.j == json.null)
print("incr", cache.incr("n"), cache.incr("n", 5), cache.incr("n", -10), cache.incr("m", 1, 100), cache.incr("n", 0.5))
cache.set("n", math.maxinteger)
print("incr", cache.incr("n"))
cache.set("n", "12")
print("incr", cache.incr("n"))
print("incr", cache.incr("t"))
print("cas", cache.cas("c", nil, 1), cache.cas("c", nil, 2), cache.cas("c", 1, 2), cache.cas("c", 1, 3), cache.get("c"))
print("cas", cache.cas("c", 2.0, "x"), cache.cas("c", "x", false), cache.cas("c", false, nil), cache.get("c"), cache.cas("c", nil, nil))
print("cas", cache.cas("t", nil, 1), cache.cas("t", 1, 1))
print("ttl", cache.set("t", 1, 100), cache.ttl("t") > 99)
cache.incr("t", 1, 0, 1)
print("ttl", cache.ttl("t") > 99)
cache.set("t", 1, 0.01)
sleep(0.02)
print("gone", cache.get("t"), cache.ttl("t"))
print("free", cache.add("t", 2), cache.delete("t"), cache.delete("t"))
print("key", cache.set("", 1))
print("key", cache.get(""))
print("key", cache.set(("k"):rep(65536), 1))
print("value", cache.set("v", ("x"):rep(1048576)))
print(pcall(cache.set, "v", print))
print(pcall(cache.set, "v", { a = print }))
print(pcall(cache.cas, "v", {}, 1))
print(pcall(cache.add, "v"))
print(pcall(cache.set, "v", 1, -1))
cache.set("x", 1)
cache.clear()
print("clear", cache.get("x"), cache.get("v"))
--> absent	nil	nil	not found
--> set	true	1	0.0
--> set nil	true	false	nil
--> add	true	false	x
--> delete	true	false
--> integer	1
--> float	1.0
--> boolean	true
--> boolean	false
--> string	
--> string	a\x00b
--> true	2.0	true	true	true
--> incr	1	6	-4	101	-3.5
--> incr	9.2233720368548e+18
--> incr	nil	not a number
--> incr	nil	not a number
--> cas	true	false	true	false	2
--> cas	true	true	true	nil	true
--> cas	false	false
--> ttl	true	true
--> ttl	true
--> gone	nil	nil	not found
--> free	true	true	false
--> key	nil	empty key
--> key	nil	empty key
--> key	nil	key too long
--> value	nil	value too long
--> false	bad argument #2 to 'cache.set' (string, number, boolean or table expected, got function)
--> false	bad argument #2 to 'cache.set' (.a is a function)
--> false	bad argument #2 to 'cache.cas' (a table is never the same)
--> false	bad argument #2 to 'cache.add' (value expected)
--> false	bad argument #3 to 'cache.set' (seconds from 0 expected)
--> clear	nil	nil
