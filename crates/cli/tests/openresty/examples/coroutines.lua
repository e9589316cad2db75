-- request: GET /coroutines
local co = coroutine.create(function(a, b)
  ngx.say("in ", a, " ", b)
  local c = coroutine.yield(a + b)
  ngx.sleep(0.001)
  ngx.say("again ", c)
  local d = coroutine.yield()
  return "end", d
end)
ngx.say(coroutine.status(co), " ", coroutine.resume(co, 1, 2))
ngx.say(coroutine.status(co), " ", coroutine.resume(co, "c"))
ngx.say(coroutine.resume(co, "d"))
ngx.say(coroutine.status(co), " ", coroutine.resume(co))
local next_number = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end)
ngx.say(next_number(), " ", next_number(), " ", next_number())
ngx.say(type(coroutine.running()))
ngx.say(coroutine.resume(coroutine.create(function() error("oops", 0) end)))
--> 200
--> in 1 2
--> suspended true3
--> again c
--> suspended true
--> trueendd
--> dead falsecannot resume dead coroutine
--> 1 2 3
--> thread
--> falseoops
