-- request: GET /thread_exit
-- A thread that exits ends the request.
ngx.say("before")
ngx.thread.spawn(function() ngx.sleep(0.01) ngx.say("last words") ngx.exit(ngx.OK) end)
ngx.sleep(5)
ngx.say("never")
--> 200
--> before
--> last words
