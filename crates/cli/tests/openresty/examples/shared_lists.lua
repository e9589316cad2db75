-- request: GET /shared_lists
local d = ngx.shared.dogs
d:delete("list") d:delete("text")
ngx.say(d:llen("list"), " ", d:lpop("list"), " ", d:rpush("list", 1), " ", d:rpush("list", "two"), " ", d:lpush("list", 0.5))
ngx.say(d:llen("list"), " ", d:lpop("list"), " ", d:rpop("list"), " ", d:lpop("list"), " ", d:llen("list"))
d:set("text", "x")
ngx.say(d:llen("text"))
ngx.say(d:lpop("text"))
ngx.say(pcall(d.lpush, d, "list", true))
ngx.say(d:lpush("list", {}))
d:rpush("list", "v")
ngx.say(d:get("list"))
ngx.say(d:incr("list", 1))
ngx.say(d:set("list", "now a text"), " ", d:get("list"))
--> 200
--> 0 nil 1 2 3
--> 3 0.5 two 1 0
--> nilvalue not a list
--> nilvalue not a list
--> truenilbad value type
--> nilbad value type
--> nilvalue is a list
--> nilnot a number
--> true now a text
