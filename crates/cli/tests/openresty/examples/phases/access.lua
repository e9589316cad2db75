ngx.ctx.seen = ngx.ctx.seen .. " " .. ngx.get_phase()
