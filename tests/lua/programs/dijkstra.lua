-- Shortest paths on a grid with a binary heap, and a check against plain relaxation.
local Heap = {}
Heap.__index = Heap
function Heap.new(less) return setmetatable({n = 0, less = less}, Heap) end
function Heap:push(v)
  self.n = self.n + 1
  local i = self.n
  while i > 1 and self.less(v, self[i // 2]) do self[i] = self[i // 2] i = i // 2 end
  self[i] = v
end
function Heap:pop()
  local top, last = self[1], self[self.n]
  self[self.n] = nil
  self.n = self.n - 1
  if self.n > 0 then
    local i = 1
    while true do
      local child = i * 2
      if child > self.n then break end
      if child < self.n and self.less(self[child + 1], self[child]) then child = child + 1 end
      if not self.less(self[child], last) then break end
      self[i] = self[child]
      i = child
    end
    self[i] = last
  end
  return top
end
local size, seed = 40, 12345
local function random(n) seed = (seed * 1103515245 + 12345) & 0x7fffffff return seed % n + 1 end
local cost = {}
for i = 1, size * size do cost[i] = random(9) end
local function neighbours(i)
  local x, y = (i - 1) % size, (i - 1) // size
  local out = {}
  if x > 0 then out[#out + 1] = i - 1 end
  if x < size - 1 then out[#out + 1] = i + 1 end
  if y > 0 then out[#out + 1] = i - size end
  if y < size - 1 then out[#out + 1] = i + size end
  return out
end
local function dijkstra()
  local distance = {[1] = 0}
  local heap = Heap.new(function(a, b) return a[1] < b[1] end)
  heap:push {0, 1}
  while heap.n > 0 do
    local d, i = table.unpack(heap:pop())
    if d == distance[i] then
      for _, j in ipairs(neighbours(i)) do
        local nd = d + cost[j]
        if not distance[j] or nd < distance[j] then distance[j] = nd heap:push {nd, j} end
      end
    end
  end
  return distance
end
local function relax()
  local distance, changed = {[1] = 0}, true
  while changed do
    changed = false
    for i = 1, size * size do
      if distance[i] then
        for _, j in ipairs(neighbours(i)) do
          local nd = distance[i] + cost[j]
          if nd < (distance[j] or math.huge) then distance[j] = nd changed = true end
        end
      end
    end
  end
  return distance
end
local a, b = dijkstra(), relax()
for i = 1, size * size do assert(a[i] == b[i]) end
print(a[size * size], a[size], a[size * size // 2])
--> 223	170	184
