-- The request goes on in another location, with other arguments.
-- request: GET /set_uri?page=1
ngx.say("not reached")
--> 200
--> /set_uri_done 3 a b,c /set_uri?page=1
--> /elsewhere a=3&b=hello%20world
