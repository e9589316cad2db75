-- The other half of `ctx`.
ngx.ctx.seen = tostring(ngx.ctx.pear)
ngx.say("sub before: ", ngx.ctx.pear)
ngx.ctx.from_sub = "left by sub"
ngx.ctx.pear = "theirs"
