-- Garbage of every kind beside live data: short-lived tables, strings and closures while a tree of 60,000 nodes stays; a weak cache.
local n = tonumber((...)) or 200000

local function build(depth)
  if depth == 0 then return { 1 } end
  return { build(depth - 1), build(depth - 1), depth = depth }
end
local function count(node) return node[2] and 1 + count(node[1]) + count(node[2]) or 1 end

local live = build(15)
local cache = setmetatable({}, { __mode = "v" })
local sum = 0
for i = 1, n do
  local point = { x = i, y = -i }
  local list = { i, i + 1, i + 2 }
  local name = "p" .. i
  local get = function() return point.x + list[2] end
  sum = sum + get() + #name
  cache[i % 100] = point
end
for i = 1, n / 10000 do sum = sum + count(build(9)) end
print(string.format("%d %d", sum, count(live)))
