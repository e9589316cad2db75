-- show: Content-Type X-My-Header Set-Cookie X-Gone Cache-Control
-- request: GET /headers_out
-- Underscores stand for hyphens, a table makes a header several times, nil takes it away.
ngx.header.content_type = "text/plain; charset=x"
ngx.header["X-My-Header"] = "blah blah"
ngx.header["Set-Cookie"] = {"a=32; path=/", "b=4; path=/"}
ngx.header.x_gone = "here"
ngx.header["X-Gone"] = nil
ngx.header.cache_control = {"private", "no-store"}
local cookies = ngx.header["Set-Cookie"]
ngx.say(type(cookies), " ", cookies[1], " | ", cookies[2])
ngx.say(ngx.header.x_my_header, " ", ngx.header.nothing, " ", ngx.header.content_type)
--> 200
--> Content-Type: text/plain; charset=x
--> X-My-Header: blah blah
--> Set-Cookie: a=32; path=/
--> Set-Cookie: b=4; path=/
--> Cache-Control: private
--> Cache-Control: no-store
--> table a=32; path=/ | b=4; path=/
--> blah blah nil text/plain; charset=x
