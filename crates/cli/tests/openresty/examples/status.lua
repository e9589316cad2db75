-- show-body: all
-- show: X-After
-- request: GET /status
ngx.status = ngx.HTTP_GONE
ngx.say("it is gone ", ngx.status)
ngx.header["X-After"] = "too late"
ngx.exit(ngx.HTTP_OK)
ngx.say("never")
--> 410
--> it is gone 410
