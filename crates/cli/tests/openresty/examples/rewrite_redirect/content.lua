-- show: Location
-- request: GET /rewrite_redirect
-- request: GET /rewrite_redirect?go=1
ngx.say(ngx.var.http_x_rewritten)
--> 200
--> yes
--> 301
--> Location: /there
