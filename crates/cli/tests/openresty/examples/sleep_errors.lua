-- request: GET /sleep_errors
local function try(f, ...) local ok, err = pcall(f, ...) return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
ngx.say((try(ngx.sleep, -1)))
ngx.say((try(ngx.sleep, "x"):gsub("to '.-'", "to it")))
ngx.say((try(ngx.sleep)))
ngx.say((try(ngx.sleep, 0)), " ", (try(ngx.sleep, "0.001")))
--> 200
--> false invalid sleep duration "-1000"
--> false bad argument #1 to it (number expected, got string)
--> false attempt to pass 0 arguments, but accepted 1
--> true nil true nil
