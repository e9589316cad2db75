-- request: GET /thread_slices
-- A thread and its spawner give each other turns.
local function steps()
  for i = 1, 3 do
    ngx.say("thread ", i)
    if i < 3 then coroutine.yield(coroutine.running()) end
  end
end
local me = coroutine.running()
ngx.say("0")
coroutine.yield(me)
ngx.say("1")
ngx.thread.spawn(steps)
ngx.say("2")
coroutine.yield(me)
ngx.say("3")
coroutine.yield(me)
ngx.say("4")
--> 200
--> 0
--> 1
--> thread 1
--> 2
--> thread 2
--> 3
--> thread 3
--> 4
