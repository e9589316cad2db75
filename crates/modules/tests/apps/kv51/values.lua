-- In 5.1 all numbers are floats, and whole ones are kept as integers.
local kv = require "kv"
for _, v in ipairs { 1, 1.5, -3, 2 ^ 53, 1e300, "s", true } do
  kv.set("v", v)
  print(type(kv.get("v")), kv.get("v"))
end
kv.set("t", { 1, 2, { 3.5 }, k = { true } })
local t = kv.get("t")
print(#t, t[2], t[3][1], t.k[1])
print(kv.incr("n"), kv.incr("n", 0.5), kv.incr("n", 0.5), kv.cas("n", 2, 3), kv.get("n"))
print(kv.transaction(function(tx) tx:set("a", tx:get("n") + 1) return tx:incr("a"), nil end))
print(kv.get("a"))
print(cache.incr("n"), cache.incr("n", 2), cache.get("n"))
--> number	1
--> number	1.5
--> number	-3
--> number	9.007199254741e+15
--> number	1e+300
--> string	s
--> boolean	true
--> 3	2	3.5	true
--> 1	1.5	2	true	3
--> 5	nil
--> 5
--> 1	3	3
