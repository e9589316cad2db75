-- nginx: it has no such function in its coroutine table
-- request: GET /yieldable
ngx.say(coroutine.isyieldable(), " ", coroutine.wrap(function() return coroutine.isyieldable() end)())
--> 200
--> true true
