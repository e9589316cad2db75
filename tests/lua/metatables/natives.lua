-- Natives as the metamethods of indexing: what they return, and that they may yield, switch, call and fail.
local function with(index, newindex)
  return setmetatable({}, { __index = index, __newindex = newindex })
end
local unpack = table.unpack or unpack

-- A result; none that is wanted; more than one.
print(with(rawequal).x, with(rawget).x, with(rawget)[1])
local stored = with(nil, rawset)
stored.x, stored[1], stored[1.5] = 5, 6, 7
print(rawget(stored, "x"), rawget(stored, 1), rawget(stored, 1.5))
local called = with(pcall)
print(called.x, called[1], called["a" .. "b"])
local same = with(tostring)
print(same.x == tostring(same), #same.x == #tostring(same))

-- At the end of a chain, and between open results.
local chained = with(with(rawequal))
print(chained.x, chained[2])
print((function(...) return chained.x, ... end)(1, 2, 3))
print(unpack({ chained.y, chained.x, (chained.z) }))

-- Errors.
print(pcall(function() return with(select).x end))
print(pcall(function() with(nil, select).x = 1 end))
print(pcall(function() return with(rawequal):method() end))
local failing = with(error, error)
print(select(2, pcall(function() return failing.x end)) == failing)
print(select(2, pcall(function() failing.x = 1 end)) == failing)
print(xpcall(function() return with(math.floor).x end, function(m) return "handled: " .. m end))

-- Yields.
local yields = with(coroutine.yield, coroutine.yield)
local co = coroutine.wrap(function()
  local a, b = yields.first, yields[2]
  yields.third = a + b
  local n = yields:fourth(1)
  return "done", a, b, n
end)
print(select(2, co()))
print(select(2, co(10)))
print(select(2, co(20)))
print(select(2, co()))
print(co(function(_, n) return n + 100 end))

-- Switches to another coroutine, again and again.
local switches = with(coroutine.wrap(function(t, k)
  while true do t, k = coroutine.yield(k .. "!") end
end))
print(switches.a, switches.b, switches.c .. switches.d)

-- In a loop, with collections.
local n = 0
local counted = with(rawequal)
for i = 1, 300 do
  if counted[i] == false then n = n + 1 end
  if i % 50 == 0 then collectgarbage() end
end
print(n)
--> false	nil	nil
--> 5	6	7
--> false	false	false
--> true	true
--> false	false
--> false	1	2	3
--> false	false	false
--> false	metatables/natives.lua:24: bad argument #1 to 'index' (number expected, got table)
--> false	metatables/natives.lua:25: bad argument #1 to 'newindex' (number expected, got table)
--> false	metatables/natives.lua:26: attempt to call a boolean value (method 'method')
--> false
--> false
--> false	handled: metatables/natives.lua:30: bad argument #1 to 'index' (number expected, got table)
--> first
--> 2
--> third	30
--> fourth
--> done	10	20	101
--> a!	b!	c!d!
--> 300
