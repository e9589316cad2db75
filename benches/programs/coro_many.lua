-- Many small coroutines: made, resumed a few times, finished; status, wrap, errors inside, a round-robin of thousands.
local n = tonumber((...)) or 180000

local sum = 0
for i = 1, n do
  local co = coroutine.create(function(a)
    local b = coroutine.yield(a + 1)
    return a + b
  end)
  local _, x = coroutine.resume(co, i)
  local _, y = coroutine.resume(co, 2)
  sum = sum + x + y
  if coroutine.status(co) == "dead" then sum = sum + 1 end
end
local waiting = {}
for i = 1, n / 10 do
  waiting[i] = coroutine.wrap(function()
    for step = 1, i % 4 + 2 do coroutine.yield(step) end
    return nil
  end)
end
while #waiting > 0 do
  local still = {}
  for i = 1, #waiting do
    local step = waiting[i]()
    if step then
      sum = sum + step
      still[#still + 1] = waiting[i]
    end
  end
  waiting = still
end
local failed = 0
for i = 1, n / 4 do
  local co = coroutine.create(function() error("stop", 0) end)
  local ok, message = coroutine.resume(co)
  if not ok then failed = failed + #message end
end
print(string.format("%d %d", sum, failed))
