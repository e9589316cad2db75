-- request: GET /thread_exit_at_once
-- What a thread ends at once is at its end for its spawner too.
ngx.say("before")
ngx.thread.spawn(function() ngx.say("in the thread") ngx.exit(ngx.OK) end)
ngx.say("never")
--> 200
--> before
--> in the thread
