-- Variable arguments: select, passing on, {...}, unpack, adjusting results.
local n = tonumber((...)) or 300000
local unpack = table.unpack or unpack

local function count(...) return select("#", ...) end
local function sum(...)
  local total = 0
  for i = 1, select("#", ...) do total = total + (select(i, ...)) end
  return total
end
local function collected(...)
  local total = 0
  for _, v in ipairs({ ... }) do total = total + v end
  return total
end
local function pass(...) return ... end
local function first_of(a, ...) return a, count(...) end
local function bind(f, a) return function(...) return f(a, ...) end end

local add_ten = bind(function(a, b, c) return a + b + c end, 10)
local list = { 1, 2, 3, 4, 5, 6 }
local total = 0
for i = 1, n do
  total = total + sum(i, 2, 3, 4) + collected(1, i, 3)
  total = total + count(pass(unpack(list))) + add_ten(i, 1)
  local a, b = first_of(pass(i, nil, i))
  total = total + a + b + select(-1, 1, 2, i)
end
print(string.format("%d", total))
