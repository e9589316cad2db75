-- request: GET /exit_rewrite
-- request: GET /exit_rewrite?how=ok
-- request: GET /exit_rewrite?how=gone
-- request: GET /exit_rewrite?how=error
-- request: GET /exit_rewrite?key=wrong
-- request: GET /exit_rewrite?key=declined
if ngx.var.arg_how == "ok" then ngx.print("ok: ") end
ngx.say("content")
--> 200
--> content
--> 200
--> ok: content
--> 410
--> 500
--> 403
--> 200
--> content
