local how = ngx.var.arg_how
if how == "ok" then ngx.exit(ngx.OK) end
if how == "gone" then ngx.exit(ngx.HTTP_GONE) end
if how == "error" then error("on purpose") end
