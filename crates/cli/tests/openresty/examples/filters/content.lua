-- show: X-Filtered
-- request: GET /filters
-- A body is changed piece by piece on its way out.
ngx.say("hello") ngx.flush(true)
ngx.say("world")
--> 200
--> X-Filtered: header_filter
--> HELLO
--> WORLD
