-- request: POST /read_body_twice
-- body: once is enough
ngx.req.read_body()
ngx.say(ngx.ctx.length, " ", ngx.req.get_body_data(), " ", ngx.var.request_body, " ", ngx.var.content_length)
--> 200
--> 14 once is enough once is enough 14
