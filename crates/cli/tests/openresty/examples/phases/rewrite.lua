ngx.ctx.seen = ngx.get_phase()
