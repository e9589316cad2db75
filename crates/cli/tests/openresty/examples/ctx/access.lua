ngx.ctx.apples = ngx.ctx.apples + 3
