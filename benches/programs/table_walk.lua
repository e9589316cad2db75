-- Walks: pairs over arrays and hashes, ipairs, next by hand, clearing while walking, a deep copy, equality of trees.
local n = tonumber((...)) or 140

local array, hash = {}, {}
for i = 1, 5000 do array[i] = i hash["k" .. i] = i end

local function copy(v)
  if type(v) ~= "table" then return v end
  local out = {}
  for k, w in pairs(v) do out[copy(k)] = copy(w) end
  return out
end
local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for k, v in pairs(a) do if not same(v, b[k]) then return false end end
  for k in pairs(b) do if a[k] == nil then return false end end
  return true
end
local tree = {}
for i = 1, 60 do
  tree[i] = { name = "node" .. i, list = { 1, 2, 3, i }, at = { x = i, y = -i } }
end

local sum = 0
for round = 1, n do
  for _, v in pairs(array) do sum = sum + v end
  for _, v in pairs(hash) do sum = sum + v end
  for i, v in ipairs(array) do sum = sum + i - v end
  local k, v = next(hash)
  while k do
    sum = sum + v
    k, v = next(hash, k)
  end
  local twin = copy(tree)
  if same(tree, twin) then sum = sum + 1 end
  twin[7].at.y = 0
  if same(tree, twin) then sum = sum + 1 end
  local emptied = copy(array)
  for key in pairs(emptied) do emptied[key] = nil end
  if next(emptied) == nil then sum = sum + 1 end
end
print(string.format("%d", sum))
