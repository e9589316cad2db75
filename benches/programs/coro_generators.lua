-- Generators in `for`: ranges, permutations, a tree walked recursively, filters over filters.
local n = tonumber((...)) or 8

local yield, wrap = coroutine.yield, coroutine.wrap
local function range(from, to) return wrap(function() for i = from, to do yield(i) end end) end
local function filter(source, test)
  return wrap(function() for v in source do if test(v) then yield(v) end end end)
end
local function permute(list, size)
  if size <= 1 then yield(list) return end
  for i = 1, size do
    list[i], list[size] = list[size], list[i]
    permute(list, size - 1)
    list[i], list[size] = list[size], list[i]
  end
end
local function build(depth, from)
  if depth == 0 then return nil, from end
  local left, right
  left, from = build(depth - 1, from)
  local node = { value = from, left = left }
  node.right, from = build(depth - 1, from + 1)
  return node, from
end
local function walk(node)
  if node then
    walk(node.left)
    yield(node.value)
    walk(node.right)
  end
end

local sum = 0
for v in range(1, n * 90000) do sum = sum + v % 3 end
for v in filter(filter(range(1, n * 30000), function(v) return v % 2 == 1 end), function(v) return v % 3 == 0 end) do
  sum = sum + v
end
local list = {}
for i = 1, n do list[i] = i end
for p in wrap(function() permute(list, n) end) do sum = sum + p[1] * p[n] end
local tree = build(13, 1)
for v in wrap(function() walk(tree) end) do sum = sum + v % 7 end
local primes, source = {}, range(2, n * 200)
for round = 1, 60 do
  local prime = source()
  primes[round] = prime
  source = filter(source, function(v) return v % prime ~= 0 end)
end
print(string.format("%d %d", sum, primes[60]))
