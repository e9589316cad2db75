-- What the functions of kv answer.
for _, entry in ipairs((kv.list(""))) do kv.delete(entry.key) end

print("absent", kv.get("a"), kv.ttl("a"))
print("delete", kv.delete("a"))
print("set", kv.set("a", 1), kv.get("a"), kv.ttl("a"))
print("set nil", kv.set("a", nil), kv.set("a", nil), kv.get("a"))
print("add", kv.add("a", "x"), kv.add("a", "y"), kv.get("a"))
print("delete", kv.delete("a"), kv.delete("a"))

print("incr", kv.incr("n"), kv.incr("n", 5), kv.incr("n", -10))
print("incr initial", kv.incr("m", 1, 100), kv.incr("m", 1, 100))
print("incr float", kv.incr("n", 0.5), kv.incr("f", 1.0), kv.incr("f", 1), kv.incr("s", "2"))
kv.set("n", math.maxinteger)
print("overflow", kv.incr("n"))
print("overflow", kv.get("n") == math.maxinteger)
kv.set("n", "12")
print("string", kv.incr("n"))
kv.set("n", {})
print("table", kv.incr("n"))

print("cas", kv.cas("c", nil, 1), kv.cas("c", nil, 2), kv.cas("c", 1, 2), kv.cas("c", 1, 3), kv.get("c"))
print("cas", kv.cas("c", 2.0, "x"), kv.cas("c", "x", false), kv.cas("c", false, nil), kv.get("c"), kv.cas("c", nil, nil))
kv.set("c", {})
print("cas table", kv.cas("c", nil, 1), kv.cas("c", 1, 1))

print("key", kv.set("", 1))
print("key", kv.get(""))
print("key", kv.set(("k"):rep(1024), 1))
print("key", kv.set(("k"):rep(1025), 1))
print("key", kv.incr(("k"):rep(1025)))
print("key", kv.set(5, "five"), kv.get("5"), kv.get(5))
print("key", kv.set("a\0b", 1), kv.get("a"), kv.get("a\0b"))
print("value", kv.set("v", ("x"):rep(1048575)), #kv.get("v"))
print("value", kv.set("v", ("x"):rep(1048576)))
print("value", kv.cas("v", ("x"):rep(1048576), 1), #kv.get("v"))
local big = {}
for i = 1, 60000 do big[i] = i end
print("value", kv.set("v", big))
print("value", kv.delete("v"))

-- Times.
print("ttl", kv.set("t", 1, 100), kv.ttl("t") > 99 and kv.ttl("t") <= 100)
kv.incr("t", 1, 0, 1)
print("incr keeps it", kv.ttl("t") > 99)
kv.set("t", 1, 0)
print("set does not", kv.ttl("t"))
kv.set("t", 1, 0.05)
kv.incr("u", 1, 0, 0.05)
sleep(0.06)
print("gone", kv.get("t"), kv.get("u"), kv.ttl("t"))
print("free", kv.add("t", 2), kv.incr("u"))
--> absent	nil	nil	not found
--> delete	false
--> set	true	1	0.0
--> set nil	true	false	nil
--> add	true	false	x
--> delete	true	false
--> incr	1	6	-4
--> incr initial	101	102
--> incr float	-3.5	1.0	2.0	2.0
--> overflow	nil	integer overflow
--> overflow	true
--> string	nil	not a number
--> table	nil	not a number
--> cas	true	false	true	false	2
--> cas	true	true	true	nil	true
--> cas table	false	false
--> key	nil	empty key
--> key	nil	empty key
--> key	true
--> key	nil	key too long
--> key	nil	key too long
--> key	true	five	five
--> key	true	nil	1
--> value	true	1048575
--> value	nil	value too long
--> value	false	1048575
--> value	nil	value too long
--> value	true
--> ttl	true	true
--> incr keeps it	true
--> set does not	0.0
--> gone	nil	nil	nil	not found
--> free	true	1
