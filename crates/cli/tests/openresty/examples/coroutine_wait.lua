-- request: GET /coroutine_wait
-- Coroutines of the script's own wait like everything else.
local producer = coroutine.wrap(function()
  for i = 1, 3 do
    ngx.sleep(0.001)
    coroutine.yield("item " .. i)
  end
end)
for item in producer do ngx.say(item) end
local co = coroutine.create(function() return ngx.location.capture("/say").status end)
ngx.say(select(2, coroutine.resume(co)), " ", coroutine.status(co))
co = coroutine.create(function() coroutine.yield() end)
coroutine.resume(co)
ngx.say(coroutine.status(co), " ", coroutine.resume(co), " ", coroutine.status(co))
ngx.say(coroutine.resume(co))
--> 200
--> item 1
--> item 2
--> item 3
--> 200 dead
--> suspended true dead
--> falsecannot resume dead coroutine
