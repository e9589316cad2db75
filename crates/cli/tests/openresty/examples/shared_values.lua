-- request: GET /shared_values
local d = ngx.shared.dogs
d:flush_all()
ngx.say(d:get("a"), " ", d:set("a", nil), " ", d:set("a", false), " ", d:get("a"), " ", d:set("a", true), " ", d:get("a"))
ngx.say(d:set("", 1))
ngx.say(d:set(nil, 1))
ngx.say(d:set(12, "number key"), " ", d:get("12"), " ", d:get(12))
ngx.say(d:get(nil))
ngx.say(d:add("new", 1, 0, 5), " ", select(2, d:get("new")))
ngx.say(d:replace("new", 2), " ", d:get("new"))
ngx.say(d:incr("text", 1, "x" and 5), " ", d:get("text"))
d:set("text", "abc")
ngx.say(d:incr("text", 1))
ngx.say(d:incr("absent", 1))
ngx.say(d:incr("ttl", 1, 0, 0.02), " ", d:ttl("ttl") > 0)
ngx.sleep(0.04)
ngx.say(d:get("ttl"), " ", d:ttl("ttl") < 0)
d:set("stale", "old", 0.01)
ngx.sleep(0.02)
ngx.say(d:get_stale("stale"))
d:flush_all()
ngx.say(d:get("new"), " ", d:get_stale("new"), " ", #d:get_keys())
ngx.say(pcall(d.set, d, "k", "v", -1))
--> 200
--> nil true true false true true
--> nilempty key
--> nilnil key
--> true number key number key
--> nilnil key
--> true 5
--> true 2
--> 6 6
--> nilnot a number
--> nilnot found
--> 1 true
--> nil true
--> oldniltrue
--> nil nil 0
--> falsebad "exptime" argument
