-- request: GET /exec
-- request: GET /exec?how=query
-- request: GET /exec?how=text
-- request: GET /exec?how=table
-- An internal redirection: the context is gone, the arguments are those that were given.
ngx.ctx.kept = "no"
local how = ngx.var.arg_how
if how == "query" then return ngx.exec("/exec_target?a=3&b=hello%20world") end
if how == "text" then return ngx.exec("/exec_target", "a=3&b=4") end
if how == "table" then return ngx.exec("/exec_target?a=3", {b = "c d"}) end
ngx.exec("/exec_target")
ngx.say("never")
--> 200
--> /exec_target nil nil true false
--> 200
--> /exec_target a=3&b=hello%20world nil true false
--> 200
--> /exec_target a=3&b=4 nil true false
--> 200
--> /exec_target a=3&b=c%20d nil true false
