-- request: GET /thread_errors
-- An error in a thread ends that thread only; its spawner learns of it.
local t = ngx.thread.spawn(function() error({code = 7}) end)
local ok, err = ngx.thread.wait(t)
ngx.say(ok, " ", type(err), " ", type(err) == "table" and err.code)
ngx.say(select(2, ngx.thread.wait(t)))
ok, err = pcall(ngx.thread.wait, 12)
ngx.say(ok)
local inner = ngx.thread.spawn(function()
  local child = ngx.thread.spawn(function() ngx.sleep(0.001) return "grandchild" end)
  return select(2, ngx.thread.wait(child))
end)
ngx.say(select(2, ngx.thread.wait(inner)))
--> 200
--> false table 7
--> already waited or killed
--> false
--> grandchild
