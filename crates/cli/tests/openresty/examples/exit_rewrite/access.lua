if ngx.var.arg_key == "wrong" then ngx.exit(ngx.HTTP_FORBIDDEN) end
if ngx.var.arg_key == "declined" then ngx.exit(ngx.DECLINED) end
