-- The context lives as long as the request, through all of its phases; a subrequest has its own unless it is given one.
-- request: GET /ctx
ngx.say(ngx.ctx.apples)
ngx.ctx.pear = "mine"
local res = ngx.location.capture("/ctx_sub")
ngx.print(res.body)
ngx.say(ngx.ctx.pear, " ", ngx.ctx.from_sub)
local given = {}
res = ngx.location.capture("/ctx_sub", {ctx = given})
ngx.say(given.from_sub, " ", given.seen)
res = ngx.location.capture("/ctx_sub", {ctx = ngx.ctx})
ngx.say(ngx.ctx.from_sub, " ", ngx.ctx.pear)
ngx.ctx = {replaced = 1}
ngx.say(ngx.ctx.apples, " ", ngx.ctx.replaced)
--> 200
--> 79
--> sub before: nil
--> mine nil
--> left by sub nil
--> left by sub theirs
--> nil 1
