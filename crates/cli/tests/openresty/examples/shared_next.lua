-- request: GET /shared_next
-- request: GET /shared_next
-- What is in a dictionary is there for the next request too.
ngx.say(ngx.shared.results:incr("visits", 1, 0))
--> 200
--> 1nilfalse
--> 200
--> 2nilfalse
