-- What only a suspended coroutine holds stays alive; what only a dead one held goes.
local weak = setmetatable({}, {__mode = "v"})
local function hold()
  local o = {"held"}
  weak[1] = o
  local captured = {"captured"}
  weak[2] = captured
  local f = function() return captured end
  coroutine.yield()
  return o[1], f()[1]
end
local co = coroutine.create(hold)
coroutine.resume(co)
collectgarbage()
print(weak[1][1], weak[2][1])
print(coroutine.resume(co))
collectgarbage()
print(weak[1], weak[2])
-- A coroutine nobody refers to is collected with its stack, and its <close> variables are not run.
local closed = false
do
  local lost = coroutine.wrap(function()
    local c <close> = setmetatable({}, {__close = function() closed = true end})
    weak[3] = c
    coroutine.yield()
  end)
  lost()
end
collectgarbage() collectgarbage()
print(weak[3], closed)
-- Upvalues stay shared between a suspended coroutine and the outside through collections.
local get, set
co = coroutine.create(function()
  local v = 1
  get = function() return v end
  set = function(x) v = x end
  coroutine.yield()
  v = v + 1
  collectgarbage()
  coroutine.yield(v)
  return v
end)
coroutine.resume(co)
set({}) collectgarbage() set(10)
print(coroutine.resume(co)) set(100)
print(coroutine.resume(co)) print(get())
-- Many coroutines, each with something to keep.
local all = {}
for i = 1, 500 do
  local c = coroutine.wrap(function() local t = {i} for n = 1, 3 do coroutine.yield(t[1] * n) end end)
  c() all[i] = c
end
collectgarbage()
local sum = 0
for i = 1, 500 do sum = sum + all[i]() end
print(sum)
--> held	captured
--> true	held	captured
--> nil	nil
--> nil	false
--> true	11
--> true	100
--> 100
--> 250500
