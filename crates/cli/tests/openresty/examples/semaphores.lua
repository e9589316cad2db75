-- request: GET /semaphores
local semaphore = require "ngx.semaphore"
local sema = semaphore.new()
local function handler()
  ngx.say("sub thread: waiting on sema...")
  local ok, err = sema:wait(1)
  if not ok then ngx.say("sub thread: failed to wait on sema: ", err) else ngx.say("sub thread: waited successfully.") end
end
local co = ngx.thread.spawn(handler)
ngx.say("main thread: sleeping for a little while...")
ngx.sleep(0.02)
ngx.say("main thread: posting to sema... ", sema:count())
sema:post(1)
ngx.say("main thread: end.")
ngx.thread.wait(co)
ngx.say(sema:wait(0.01))
sema:post(3)
ngx.say(sema:count(), " ", sema:wait(0), " ", sema:count())
--> 200
--> sub thread: waiting on sema...
--> main thread: sleeping for a little while...
--> main thread: posting to sema... -1
--> main thread: end.
--> sub thread: waited successfully.
--> falsetimeout
--> 3 true 2
