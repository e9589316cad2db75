-- request: GET /print_logs
print("into the log, not into the body")
ngx.log(ngx.ERR, "numbers ", 12, " ", nil, " ", true, " ", setmetatable({}, {__tostring = function() return "object" end}))
ngx.say(pcall(ngx.log, ngx.ERR, {}))
ngx.say("body")
--> 200
--> falsebad argument #1 to '?' (expected table to have __tostring metamethod)
--> body
