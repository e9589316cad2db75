-- The table library: insert and remove at both ends and in the middle, unpack, move, concat; stacks and queues.
local n = tonumber((...)) or 300000
local unpack = table.unpack or unpack

local stack, sum = {}, 0
for round = 1, 2 do
  for i = 1, n do table.insert(stack, i) end
  for i = 1, n do sum = sum + table.remove(stack) % 3 end
end
local line = {}
for i = 1, 200 do line[i] = i end
for i = 1, n / 50 do
  table.insert(line, 1, i)
  sum = sum + table.remove(line)
  table.insert(line, 100, i)
  sum = sum + table.remove(line, 50)
end
local head, tail, queue = 1, 0, {}
for i = 1, n do
  tail = tail + 1
  queue[tail] = i
  if i % 3 == 0 then
    sum = sum + queue[head]
    queue[head] = nil
    head = head + 1
  end
end
for i = 1, n / 3 do
  local a, b, c, d = unpack(line, i % 100 + 1, i % 100 + 4)
  sum = sum + a - b + c - d
end
if table.move then
  for i = 1, n / 1000 do
    local copy = table.move(line, 1, #line, 1, {})
    table.move(copy, 1, 100, 50)
    sum = sum + #copy + copy[60]
  end
end
print(string.format("%d %d", sum, #line))
