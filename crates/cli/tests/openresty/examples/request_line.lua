-- request: DELETE /request_line?x=1
-- header: X-Kind: tabby
local raw = ngx.req.raw_header()
ngx.say((raw:match("^[^\r\n]*")), " ", raw:find("\r\n\r\n", 1, true) == #raw - 3)
ngx.say((ngx.req.raw_header(true):find("DELETE", 1, true)), " ", ngx.req.raw_header(true):match("X%-Kind: (%a+)"))
ngx.say(ngx.req.http_version(), " ", ngx.req.get_method(), " ", ngx.req.is_internal())
local start = ngx.req.start_time()
ngx.say(type(start), " ", ngx.now() - start < 5, " ", ngx.now() >= start)
ngx.req.set_method(ngx.HTTP_POST)
ngx.say(ngx.req.get_method(), " ", ngx.var.request_method)
local ok, err = pcall(ngx.req.set_method, "PUT")
ngx.say(ok, " ", err)
--> 200
--> DELETE /request_line?x=1 HTTP/1.1 true
--> nil tabby
--> 1.1 DELETE false
--> number true true
--> POST POST
--> false bad method number
