-- request: GET /body_filter_end
-- At the end a filter adds what it has counted.
ngx.say("one")
ngx.flush(true)
ngx.say("three")
--> 200
--> one
--> three
--> total 10
