-- request: GET /resp_get_headers
ngx.header.x_first = "1"
ngx.header.x_more = {"2", "3"}
ngx.header.content_type = "text/x-test"
local h = ngx.resp.get_headers()
ngx.say(h.x_first, " ", h["X-First"], " ", h["x-more"][2], " ", h.content_type, " ", h.absent)
local add = require "ngx.resp".add_header
add("X-More", "4")
ngx.say(#ngx.resp.get_headers()["x-more"])
--> 200
--> 1 1 3 text/x-test nil
--> 2
