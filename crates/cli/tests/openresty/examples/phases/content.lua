-- request: GET /phases
ngx.say(ngx.ctx.seen, " ", ngx.get_phase())
local seen
ngx.timer.at(0, function() seen = ngx.get_phase() end)
ngx.sleep(0.02)
ngx.say(seen)
--> 200
--> rewrite access content
--> timer
