-- Search: all solutions of the n queens with tables of flags, knight's moves, subset sums.
local n = tonumber((...)) or 11

local columns, up, down, found = {}, {}, {}, 0
local function place(row)
  if row > n then
    found = found + 1
    return
  end
  for c = 1, n do
    if not columns[c] and not up[row + c] and not down[row - c + n] then
      columns[c], up[row + c], down[row - c + n] = true, true, true
      place(row + 1)
      columns[c], up[row + c], down[row - c + n] = false, false, false
    end
  end
end
place(1)

local jumps = { { 1, 2 }, { 2, 1 }, { -1, 2 }, { -2, 1 }, { 1, -2 }, { 2, -1 }, { -1, -2 }, { -2, -1 } }
local function reach(x, y, steps)
  if steps == 0 then return 1 end
  local ways = 0
  for _, jump in ipairs(jumps) do
    local a, b = x + jump[1], y + jump[2]
    if a >= 1 and a <= 8 and b >= 1 and b <= 8 then ways = ways + reach(a, b, steps - 1) end
  end
  return ways
end
local weights = {}
for i = 1, n * 2 do weights[i] = i * i % 31 + 3 end
local function subsets(at, rest)
  if rest == 0 then return 1 end
  if rest < 0 or at > #weights then return 0 end
  return subsets(at + 1, rest - weights[at]) + subsets(at + 1, rest)
end
print(string.format("%d %d %d", found, reach(1, 1, n - 3), subsets(1, 100)))
