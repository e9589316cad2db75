-- table.sort without a comparator: random, ascending, descending and repeated numbers, floats, strings.
local n = tonumber((...)) or 70000

local seed = 3
local function random(limit)
  seed = seed * 16807 % 2147483647
  return seed % limit
end
local check = 0
local function run(make)
  local t = {}
  for i = 1, n do t[i] = make(i) end
  table.sort(t)
  for i = 2, n do if t[i] < t[i - 1] then error("not sorted") end end
  return t
end
local t = run(function() return random(1000000) end)
check = check + t[n]
check = check + run(function(i) return i end)[10]
check = check + run(function(i) return n - i end)[10]
check = check + run(function(i) return i % 10 end)[n]
check = check + run(function() return random(1000) / 7 end)[1]
t = run(function() return "key" .. random(100000) end)
print(string.format("%.6f %s %s", check, t[1], t[n]))
