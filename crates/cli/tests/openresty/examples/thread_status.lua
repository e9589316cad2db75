-- request: GET /thread_status
-- A thread runs while it waits, and is a zombie from its end until it has been waited for.
local t = ngx.thread.spawn(function() ngx.sleep(0.01) return "done" end)
ngx.say(coroutine.status(t))
ngx.sleep(0.03)
ngx.say(coroutine.status(t))
ngx.say(select(2, ngx.thread.wait(t)))
local quick = ngx.thread.spawn(function() end)
ngx.say(coroutine.status(quick))
ngx.thread.wait(quick)
--> 200
--> running
--> zombie
--> done
--> zombie
