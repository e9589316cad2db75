-- show: X-Was X-Removed X-Type
-- request: GET /header_filter_status
-- request: GET /header_filter_status?missing=1
ngx.header.x_removed = "there"
ngx.header.content_type = "text/plain"
if ngx.var.arg_missing then ngx.status = 404 end
ngx.say("body")
--> 200
--> X-Type: text/plain
--> body
--> 200
--> X-Was: 404
--> X-Type: text/plain
--> body
