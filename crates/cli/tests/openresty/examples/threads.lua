-- request: GET /threads
-- A thread runs at once, up to where it first waits.
local function f()
  ngx.say("f 1")
  coroutine.yield()
  ngx.say("f 2")
  coroutine.yield()
  ngx.say("f 3")
  return "f", 3
end
local t1 = ngx.thread.spawn(f)
ngx.say("main 1")
coroutine.yield()
ngx.say("main 2")
local ok, name, count = ngx.thread.wait(t1)
ngx.say(ok, " ", name, " ", count, " ", coroutine.status(t1), " ", type(t1))
local bad = ngx.thread.spawn(function() error("at last", 0) end)
ngx.say(ngx.thread.wait(bad))
local slow = ngx.thread.spawn(function() ngx.sleep(0.1) return "slow" end)
local fast = ngx.thread.spawn(function() ngx.sleep(0.01) return "fast" end)
ngx.say(ngx.thread.wait(slow, fast))
ngx.say(ngx.thread.kill(slow))
ngx.say(ngx.thread.kill(slow))
local none = ngx.thread.spawn(function() end)
ngx.say(ngx.thread.wait(none))
--> 200
--> f 1
--> main 1
--> f 2
--> main 2
--> f 3
--> true f 3 dead thread
--> falseat last
--> truefast
--> 1
--> nilalready waited or killed
--> true
