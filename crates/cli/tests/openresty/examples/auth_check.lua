-- What `access_by_subrequest` asks.
local key = ngx.var.arg_key
if key == "good" then return ngx.say("fine") end
ngx.exit(key == "bad" and ngx.HTTP_FORBIDDEN or ngx.HTTP_NOT_FOUND)
