-- request: GET /thread_order
-- Many threads in turn. (Who is next when they were spawned is not the same: there their spawner takes its turns among them.)
local order = {}
local threads = {}
for i = 1, 4 do
  threads[i] = ngx.thread.spawn(function()
    for step = 1, 3 do
      order[#order + 1] = i .. step
      coroutine.yield()
    end
    return i
  end)
end
local sum = 0
for i = 1, 4 do sum = sum + select(2, ngx.thread.wait(threads[i])) end
table.sort(order)
ngx.say(table.concat(order, " "), " ", sum)
--> 200
--> 11 12 13 21 22 23 31 32 33 41 42 43 10
