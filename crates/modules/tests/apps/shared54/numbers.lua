-- Where there are integers they stay integers.
local d = ngx.shared.cache
d:set("i", 7)
d:set("f", 7.0)
print(d:get("i"), d:get("f"), math.type(d:get("i")), math.type(d:get("f")))
print(d:incr("i", 1), d:incr("i", 0.5), d:incr("f", 1))
d:set("max", math.maxinteger)
print(d:get("max"), d:incr("max", 1))
print(d:set(1, "integer"), d:set(1.0, "float"), d:get("1"), d:get("1.0"))
print(d:rpush("l", 1), d:rpush("l", 1.0), d:lpop("l"), d:lpop("l"))
print(d:set("flags", 1, 0, 3), d:get("flags"))
print(d:capacity(), d:ttl("i"))
print(#d:get_keys(2), d:flush_expired())
local lrucache = require "resty.lrucache"
local c = lrucache.new(2)
c:set("a", 1) c:set("b", 2) c:set("c", 3)
print(c:get("a"), c:get("b"), c:count(), c:capacity())
local lock = require "resty.lock"
local l = lock:new("locks")
print(l:lock("k"), l:unlock())
local s = require "ngx.semaphore".new(1)
print(s:wait(1), s:count(), s:wait(0))
--> 7	7.0	integer	float
--> 8	8.5	8.0
--> 9223372036854775807	9.2233720368548e+18
--> true	true	integer	float
--> 1	2	1	1.0
--> true	1	3
--> 65536	0.0
--> 2	0
--> nil	2	2	2
--> 0	1
--> true	0	nil	timeout
