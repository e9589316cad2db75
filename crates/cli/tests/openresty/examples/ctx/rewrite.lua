ngx.ctx.apples = 76
