local d = ngx.shared.cache
-- The other files of this app have used it too.
d:flush_all() d:flush_expired()
print(d:incr("n", 1))
print(d:incr("n", 1, 10))
print(d:incr("n", 2))
print(d:incr("n", -0.5, 99))
print(select("#", d:incr("n", 1)), select("#", d:incr("n", 1, 0)))
print(d:incr("n", "3"), d:incr("m", 1, "5"))
print(d:get("n"))
d:set("s", "1")
print(d:incr("s", 1))
print(d:incr("s", 1, 0))
print(d:incr(nil, 1), d:incr("", 1))
print(d:incr(string.rep("k", 65536), 1, 0))
print(d:incr("false", 1, false))
print(d:incr("t", 1, 0, 0.01), d:ttl("t") <= 0.01)
ngx.sleep(0.015)
print(d:incr("t", 5, 0), d:ttl("t"))
d:set("max", 2 ^ 53)
print(string.format("%.0f", d:incr("max", 2)))
--> nil	not found
--> 11	nil	false
--> 13
--> 12.5	nil	false
--> 1	3
--> 17.5	6	nil	false
--> 17.5
--> nil	not a number
--> nil	not a number
--> nil	nil	empty key
--> nil	key too long
--> nil	not found
--> 1	true
--> 5	0
--> 9007199254740994
