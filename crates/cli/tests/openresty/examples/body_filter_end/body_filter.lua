ngx.ctx.length = (ngx.ctx.length or 0) + #ngx.arg[1]
if ngx.arg[2] then ngx.arg[1] = {ngx.arg[1], "total ", {ngx.ctx.length, "\n"}} end
