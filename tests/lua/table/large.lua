-- Tables of many entries, which grow in pieces: what is found, walked over and removed while they do.
-- timeout: 60 s
local N = 150000

local function count(t)
  local n, sum = 0, 0
  for k, v in pairs(t) do
    n = n + 1
    assert(t[k] == v)
    sum = sum + v
  end
  return n, sum
end

-- Strings: everything put in is found at every size at which the parts are replaced.
local names = {}
for i = 1, N do
  names["n" .. i] = i
  if i % 4099 == 0 then
    for j = 1, i, 997 do assert(names["n" .. j] == j) end
    assert(names["n" .. i + 1] == nil)
  end
end
print(count(names))

-- Half removed while it is walked over, in the middle of a replacement.
local removed = 0
for k, v in pairs(names) do
  if v % 2 == 0 then names[k] = nil removed = removed + 1 end
end
print(removed, (count(names)))

-- An array grown by appending, with its length asked for each time.
local list = {}
for i = 1, N do list[#list + 1] = i end
print(#list, (count(list)))
local seen = 0
for i, v in ipairs(list) do seen = seen + (i == v and 1 or 0) end
print(seen)

-- From the end to the beginning: integer keys move from the hash part to the array part.
local back = {}
for i = N, 1, -1 do back[i] = i end
print(#back, (count(back)))

-- Entries above the array part, stored before it reaches them.
local gap = {}
for i = 100001, 200000 do gap[i] = i end
for i = 1, 100000 do gap[i] = i end
print(#gap, (count(gap)))
for i = #gap, 1, -1 do gap[i] = nil end
print(#gap, next(gap))

-- Sorted, joined, removed from the end, while in pieces.
local keys = {}
for i = 1, 70000 do keys[i] = (i * 7919) % 70001 end
table.sort(keys)
print(keys[1], keys[70000])
local last = 0
while #keys > 0 do last = table.remove(keys) end
print(last, #keys)

-- Objects as keys, collected meanwhile.
local objects, kept = {}, {}
for i = 1, 30000 do
  local o = {}
  objects[o] = i
  kept[i] = o
  if i % 3 == 0 then
    objects[kept[i // 3]] = nil
    kept[i // 3] = false
  end
  if i % 10000 == 0 then collectgarbage() end
end
print((count(objects)))
for i, o in ipairs(kept) do assert(not o or objects[o] == i) end
--> 150000	11250075000
--> 75000	75000
--> 150000	150000
--> 150000
--> 150000	150000
--> 200000	200000
--> 0	nil
--> 1	70000
--> 1	0
--> 20000
