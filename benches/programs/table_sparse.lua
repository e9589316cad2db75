-- Integer keys with gaps, negative keys, float keys: the hash part, and a grid addressed by x * width + y.
local n = tonumber((...)) or 500000

local sparse, sum = {}, 0
for i = 1, n do sparse[i * 37 % 1000003] = i end
for i = 1, n do sum = sum + (sparse[i * 37 % 1000003] or 0) % 7 end
for i = 1, n do if sparse[i] then sum = sum + 1 end end

local signed = {}
for i = -2000, 2000 do signed[i * 10] = i end
for round = 1, n / 20000 do
  for i = -2000, 2000 do signed[i * 10] = signed[i * 10] + round end
end
sum = sum + signed[-20000] + signed[20000]

local halves = {}
for i = 1, n / 10 do halves[i / 2 + 0.25] = i end
for i = 1, n / 10 do sum = sum + halves[i / 2 + 0.25] end

local grid, width = {}, 4096
for i = 1, n / 4 do
  local x, y = i * 13 % 199, i * 29 % 197
  local at = x * width + y
  grid[at] = (grid[at] or 0) + 1
end
for x = 1, 197 do
  for y = 1, 195 do
    sum = sum + (grid[(x - 1) * width + y] or 0) - (grid[x * width + y + 1] or 0)
  end
end
print(string.format("%d", sum))
