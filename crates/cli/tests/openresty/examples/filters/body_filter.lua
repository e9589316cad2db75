ngx.arg[1] = string.upper(ngx.arg[1])
