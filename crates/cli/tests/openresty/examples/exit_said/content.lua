-- show-body: all
-- request: GET /exit_said
-- A phase that says a whole response and leaves is the end of the request.
ngx.say("not reached")
--> 403
--> no entry
