-- request: GET /header_reading
ngx.header["Content-Type"] = "text/css"
ngx.header["Cache-Control"] = "no-cache"
ngx.header["X-Twice"] = {"a", "b"}
local h = ngx.resp.get_headers()
ngx.say(h["content-type"], " ", h.cache_control, " ", type(h["X-Twice"]), " ", h["x-twice"][1])
ngx.say(type(ngx.header["X-Twice"]), " ", ngx.header["cache-control"], " ", ngx.header.Server)
ngx.header["X-Twice"] = {}
ngx.say(ngx.header["X-Twice"])
--> 200
--> text/css no-cache table a
--> table no-cache nil
--> ab
