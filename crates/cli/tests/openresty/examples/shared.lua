-- request: GET /shared
local dogs = ngx.shared.dogs
dogs:flush_all()
ngx.say(dogs:set("Jim", 8), " ", dogs:get("Jim"), " ", ngx.shared.dogs.get(dogs, "Jim"))
ngx.say(dogs:add("Jim", 9))
ngx.say(dogs:replace("Tom", 1))
ngx.say(dogs:incr("Jim", 2), " ", select(2, dogs:incr("none", 1)), " ", dogs:incr("fresh", 1, 10))
dogs:set("flagged", "v", 0, 7)
ngx.say(dogs:get("flagged"), " ", select(2, dogs:get("flagged")))
dogs:set("short", true, 0.01)
ngx.sleep(0.03)
ngx.say(dogs:get("short"), " ", dogs:get_stale("short"), " ", select(3, dogs:get_stale("short")))
ngx.say(dogs:rpush("list", "b"), " ", dogs:lpush("list", "a"), " ", dogs:llen("list"), " ", dogs:rpop("list"), " ", dogs:lpop("list"), " ", dogs:lpop("list"))
ngx.say(select(2, dogs:lpush("Jim", 1)), " ", select(2, dogs:set("Jim", {})))
dogs:set("timed", 1, 100)
ngx.say(dogs:ttl("timed") > 99, " ", dogs:ttl("Jim"), " ", select(2, dogs:ttl("none")), " ", dogs:expire("Jim", 50), " ", select(2, dogs:expire("none", 1)))
dogs:delete("Jim")
ngx.say(dogs:get("Jim"))
ngx.say(dogs:flush_expired() >= 0, " ", #dogs:get_keys() >= 3, " ", dogs:capacity() > 0, " ", dogs:free_space() > 0)
ngx.say(dogs:safe_set("s", "x"), " ", dogs:safe_add("s", "y"))
--> 200
--> true 8 8
--> falseexistsfalse
--> falsenot foundfalse
--> 10 not found 11nilfalse
--> v 7
--> nil true true
--> 1 2 2 b a nil
--> value not a list bad value type
--> true 0 not found true not found
--> nil
--> true true true true
--> true falseexistsfalse
