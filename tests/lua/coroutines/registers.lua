-- A function that waits in a yield goes on with all its registers, whatever the collector made of its stack.
-- Most of them are not in use while it waits: the variables are declared behind the yield.
local names = {}
for i = 1, 150 do
  names[i] = "local v" .. i .. " = y + " .. i
end
local source = "local yield = ... return function() local y = yield() "
  .. table.concat(names, "\n")
  .. "\n collectgarbage() return v1 + v150, v75 end"
local many = (loadstring or load)(source)(coroutine.yield)

local wrong = 0
for i = 1, 100 do
  local co = coroutine.create(many)
  coroutine.resume(co)
  collectgarbage()
  collectgarbage()
  local others = {}
  for j = 1, 50 do others[j] = { j } end
  local ok, a, b = coroutine.resume(co, i)
  if not ok or a ~= 2 * i + 151 or b ~= i + 75 then wrong = wrong + 1 end
end
print("wrong", wrong)

-- The same below another function, which calls a coroutine in turn.
local function deep(n)
  if n > 0 then return (deep(n - 1)) end
  return coroutine.yield(1)
end
for i = 1, 20 do
  local co = coroutine.wrap(function() local y = deep(i) return many and y end)
  co()
  collectgarbage()
  collectgarbage()
  assert(co(i) == i)
end

-- A stack that was large once is small again, and large enough.
local grown = coroutine.wrap(function()
  local function sum(n) if n == 0 then return 0 end return n + sum(n - 1) end
  local total = sum(5000)
  total = total + coroutine.yield(total)
  return total + sum(5000)
end)
print(grown())
collectgarbage()
collectgarbage()
print(grown(1))
--> wrong	0
--> 12502500
--> 25005001
