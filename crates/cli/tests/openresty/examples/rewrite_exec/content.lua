-- request: GET /rewrite_exec
ngx.say("not reached")
--> 200
--> /exec_target from=rewrite nil true false
