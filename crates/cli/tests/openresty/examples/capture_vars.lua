-- set: dog
-- request: GET /capture_vars
-- Variables of a subrequest: its own, copied, shared, or given.
ngx.var.dog = "rex"
local target = "/capture_vars_sub"
local res = ngx.location.capture(target, {copy_all_vars = true})
ngx.say(res.body, " then ", ngx.var.dog)
res = ngx.location.capture(target, {vars = {dog = "hello"}})
ngx.say(res.body, " then ", ngx.var.dog)
--> 200
--> rex nil then rex
--> hello nil then rex
