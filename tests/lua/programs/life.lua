-- Conway's Life with sparse cells: a glider travels, a blinker blinks, the R-pentomino grows.
local function key(x, y) return x << 32 | y & 0xffffffff end
local function step(cells)
  local counts = {}
  for k in pairs(cells) do
    local x, y = k >> 32, k & 0xffffffff
    for dx = -1, 1 do
      for dy = -1, 1 do
        if dx ~= 0 or dy ~= 0 then
          local n = key(x + dx, y + dy)
          counts[n] = (counts[n] or 0) + 1
        end
      end
    end
  end
  local next_cells = {}
  for k, n in pairs(counts) do
    if n == 3 or n == 2 and cells[k] then next_cells[k] = true end
  end
  return next_cells
end
local function board(text, ox, oy)
  local cells, y = {}, 0
  for line in text:gmatch "[^/]+" do
    for x = 1, #line do if line:sub(x, x) == "#" then cells[key(x + ox, y + oy)] = true end end
    y = y + 1
  end
  return cells
end
local function count(cells) local n = 0 for _ in pairs(cells) do n = n + 1 end return n end
local function same(a, b) for k in pairs(a) do if not b[k] then return false end end return count(a) == count(b) end
local glider = board(".#./..#/###", 100, 100)
local moved = glider
for _ = 1, 40 do moved = step(moved) end
print(count(moved), same(moved, board(".#./..#/###", 110, 110)))
local blinker = board("###", 5, 5)
print(same(step(step(blinker)), blinker), same(step(blinker), blinker))
local r = board(".##/##./.#.", 1000, 1000)
for generation = 1, 100 do r = step(r) if generation % 25 == 0 then io.write(count(r), " ") end end print()
--> 5	true
--> true	false
--> 39 64 73 121 
