-- show: Location
-- request: GET /redirect
-- request: GET /redirect?how=301
-- request: GET /redirect?how=args
-- request: GET /redirect?how=307
-- request: GET /redirect?how=308
-- request: GET /redirect?how=200
local how = ngx.var.arg_how
if how == "301" then return ngx.redirect("/foo", ngx.HTTP_MOVED_PERMANENTLY) end
if how == "args" then return ngx.redirect("/foo?test=3&a=b") end
if how == "307" then return ngx.redirect("http://other.example/foo", 307) end
if how == "308" then return ngx.redirect("/foo", 308) end
if how == "200" then
  local ok, err = pcall(ngx.redirect, "/foo", 200)
  return ngx.say(ok, " ", (err:gsub("^.-:%d+: ", "")))
end
ngx.redirect("/foo")
--> 302
--> Location: /foo
--> 301
--> Location: /foo
--> 302
--> Location: /foo?test=3&a=b
--> 307
--> Location: http://other.example/foo
--> 308
--> Location: /foo
--> 200
--> false only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed
