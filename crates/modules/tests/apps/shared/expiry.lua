-- Times are seconds, to the millisecond.
local d = ngx.shared.cache
-- The other files of this app have used it too.
d:flush_all() d:flush_expired()
d:set("long", 1, 100)
d:set("ever", 1)
d:set("short", "x", 0.02, 5)
print(d:ttl("ever"), d:ttl("none"))
local ttl = d:ttl("long")
print(ttl > 99 and ttl <= 100, d:ttl("short") <= 0.02)
print(d:get("short"))
ngx.sleep(0.025)
print(d:get("short"))
-- Still there, as something older is in front of it.
print(d:get_stale("short"))
print(d:ttl("short") < 0)
print(d:expire("short", 10), d:get("short"))
print(d:expire("short", 0), d:ttl("short"))
print(d:expire("none", 1))
-- Less than a millisecond is for ever.
print(d:set("tiny", 1, 0.0009), d:ttl("tiny"))
print(d:expire("tiny", -1), d:ttl("tiny"))
print(d:set("huge", 1, math.huge), d:ttl("huge") > 1e15)

-- flush_all lets all expire; flush_expired removes what has.
for i = 1, 10 do d:set("more" .. i, i) end
d:flush_all()
print(d:get_stale("more10"))
print(d:get("ever"), d:get("huge"), #d:get_keys())
print(d:flush_expired(1), d:flush_expired(), d:flush_expired())
for i = 1, 10 do d:set("k" .. i, i, i % 2 == 0 and 0.001 or 0) end
ngx.sleep(0.005)
local keys = d:get_keys()
table.sort(keys)
print(table.concat(keys, " "))
print(d:flush_expired(0), #d:get_keys(0), #d:get_keys(2), #d:get_keys(-1))
--> 0	nil	not found
--> true	true
--> x	5
--> nil
--> x	5	true
--> true
--> true	x	5
--> true	0
--> nil	not found
--> true	0
--> true	0
--> true	true
--> 10	nil	true
--> nil	nil	0
--> 1	7	0
--> k1 k3 k5 k7 k9
--> 5	5	2	5
