-- A priority queue in a binary heap, and shortest paths on a grid with it.
local n = tonumber((...)) or 140

local function push(heap, priority, item)
  local i = heap.size + 1
  heap.size = i
  local keys, items = heap.keys, heap.items
  while i > 1 do
    local parent = (i - i % 2) / 2
    if keys[parent] <= priority then break end
    keys[i], items[i] = keys[parent], items[parent]
    i = parent
  end
  keys[i], items[i] = priority, item
end
local function pop(heap)
  local keys, items, size = heap.keys, heap.items, heap.size
  local priority, item = keys[1], items[1]
  local last_key, last_item = keys[size], items[size]
  keys[size], items[size] = nil, nil
  size = size - 1
  heap.size = size
  local i = 1
  while true do
    local child = i * 2
    if child > size then break end
    if child < size and keys[child + 1] < keys[child] then child = child + 1 end
    if keys[child] >= last_key then break end
    keys[i], items[i] = keys[child], items[child]
    i = child
  end
  if size > 0 then keys[i], items[i] = last_key, last_item end
  return priority, item
end

local seed = 99
local cost = {}
for i = 0, n * n - 1 do
  seed = seed * 16807 % 2147483647
  cost[i] = seed % 9 + 1
end
local function shortest(start)
  local distance, done = { [start] = 0 }, {}
  local heap = { size = 0, keys = {}, items = {} }
  push(heap, 0, start)
  local function visit(at, reached)
    local through = reached + cost[at]
    local known = distance[at]
    if not known or through < known then
      distance[at] = through
      push(heap, through, at)
    end
  end
  local farthest = 0
  while heap.size > 0 do
    local reached, at = pop(heap)
    if not done[at] then
      done[at] = true
      farthest = reached
      local x = at % n
      if x > 0 then visit(at - 1, reached) end
      if x < n - 1 then visit(at + 1, reached) end
      if at >= n then visit(at - n, reached) end
      if at < n * (n - 1) then visit(at + n, reached) end
    end
  end
  return farthest
end
local sum = 0
for i = 0, 7 do sum = sum + shortest(i * n) end
print(string.format("%d", sum))
