-- String keys: fields of records, counting words, a set that grows and shrinks, an index of two levels.
local n = tonumber((...)) or 180000

local keys = {}
for i = 1, 2000 do keys[i] = "word" .. i * 7919 % 100003 end
local counts, sum = {}, 0
for i = 1, n * 5 do
  local key = keys[i * 31 % 2000 + 1]
  counts[key] = (counts[key] or 0) + 1
end
for i = 1, #keys do sum = sum + counts[keys[i]] * (i % 3) end

local set, size = {}, 0
for i = 1, n do
  local key = "item" .. i % 20011
  if set[key] then set[key] = nil size = size - 1 else set[key] = true size = size + 1 end
end

local index = {}
for i = 1, n do
  local record = { id = i, kind = keys[i % 20 + 1], weight = i % 13, parent = i - 1 }
  local group = index[record.kind]
  if not group then group = { total = 0, count = 0 } index[record.kind] = group end
  group.total = group.total + record.weight + record.id % 2
  group.count = group.count + 1
end
for i = 1, 20 do
  local group = index[keys[i]]
  sum = sum + group.total - group.count
end
print(string.format("%d %d", sum, size))
