-- Producer, transformer and consumer that hand values over through resume and yield, with several values at a time.
local n = tonumber((...)) or 400000

local function producer(count)
  return coroutine.create(function()
    for i = 1, count do coroutine.yield(i, "item", i % 2 == 0) end
    return nil
  end)
end
local function receive(source)
  local _, id, name, even = coroutine.resume(source)
  return id, name, even
end
local function transformer(source)
  return coroutine.create(function()
    while true do
      local id, name, even = receive(source)
      if not id then return nil end
      if even then coroutine.yield(id * 2, name, even) else coroutine.yield(id + 1, name, even) end
    end
  end)
end
local sum, names = 0, 0
local source = transformer(producer(n))
while true do
  local id, name = receive(source)
  if not id then break end
  sum = sum + id
  names = names + #name
end
-- The consumer is the coroutine: values go in through resume.
local sink = coroutine.create(function(first)
  local total, value = 0, first
  while value do
    total = total + value
    value = coroutine.yield(total)
  end
  return total
end)
for i = 1, n do coroutine.resume(sink, i) end
local _, total = coroutine.resume(sink, nil)
print(string.format("%d %d %d", sum, names, total))
