-- request: POST /post_args_unread
-- body: a=1
local ok, err = pcall(ngx.req.get_post_args)
ngx.say(ok, " ", err)
--> 200
--> false no request body found; maybe you should turn on lua_need_request_body?
