-- table.sort with a comparator: numbers descending, records by one field and by two, objects through __lt; a sort in Lua.
local n = tonumber((...)) or 30000

local seed = 5
local function random(limit)
  seed = seed * 16807 % 2147483647
  return seed % limit
end
local Version = { __lt = function(a, b)
  if a.major ~= b.major then return a.major < b.major end
  return a.minor < b.minor
end }

local numbers, records, versions = {}, {}, {}
for i = 1, n do
  numbers[i] = random(1000000)
  records[i] = { id = i, name = "n" .. random(n), rank = random(50) }
  if i <= n / 2 then versions[i] = setmetatable({ major = random(20), minor = random(1000) }, Version) end
end
table.sort(numbers, function(a, b) return a > b end)
table.sort(records, function(a, b) return a.id > b.id end)
table.sort(records, function(a, b)
  if a.rank ~= b.rank then return a.rank < b.rank end
  return a.id < b.id
end)
local by_rank = records[n].id
table.sort(records, function(a, b) return a.name < b.name or (a.name == b.name and a.id < b.id) end)
table.sort(versions)

local function quick(t, low, high)
  while low < high do
    local pivot, i, j = t[(low + high - (low + high) % 2) / 2], low, high
    while i <= j do
      while t[i] < pivot do i = i + 1 end
      while pivot < t[j] do j = j - 1 end
      if i <= j then
        t[i], t[j] = t[j], t[i]
        i, j = i + 1, j - 1
      end
    end
    if j - low < high - i then
      quick(t, low, j)
      low = i
    else
      quick(t, i, high)
      high = j
    end
  end
end
local own = {}
for i = 1, n do own[i] = random(1000000) end
quick(own, 1, n)
print(string.format("%d %d %s %d.%d %d", numbers[1], by_rank, records[1].name, versions[1].major, versions[1].minor, own[n]))
