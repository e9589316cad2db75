-- request: GET /var_errors
local function try(f) local ok, err = pcall(f) return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
ngx.say((try(function() ngx.var.uri = "/x" end)))
ngx.say((try(function() ngx.var.remote_addr = "1" end)))
ngx.say((try(function() return ngx.var[true] end)))
ngx.say((try(function() ngx.var.args = {} end)))
ngx.say(ngx.var[0], " ", ngx.var[1])
--> 200
--> false variable "uri" not changeable
--> false variable "remote_addr" not changeable
--> false bad variable name
--> true nil
--> nil nil
