-- Closures made in loops: of a loop variable, of an assigned variable, curried, composed, passed to map and fold.
local n = tonumber((...)) or 500000

local function map(list, f)
  local out = {}
  for i = 1, #list do out[i] = f(list[i]) end
  return out
end
local function fold(list, f, start)
  local acc = start
  for i = 1, #list do acc = f(acc, list[i]) end
  return acc
end
local function compose(f, g) return function(x) return f(g(x)) end end
local function curry(f) return function(a) return function(b) return f(a, b) end end end
local add = curry(function(a, b) return a + b end)

local sum = 0
for i = 1, n do
  local last = i
  local get = function() return last end
  local set = function(v) last = v end
  set(get() + 1)
  sum = sum + get() + add(i)(1)
end
local actions = {}
for round = 1, n / 1000 do
  for i = 1, 200 do actions[i] = function(x) return x + i end end
  sum = sum + fold(map(actions, function(f) return f(round) end), function(a, b) return a + b end, 0)
  local chain = actions[1]
  for i = 2, 50 do chain = compose(actions[i], chain) end
  sum = sum + chain(0)
end
print(string.format("%d", sum))
