-- An error in a finalizer is a warning, never an error of the script; warnings are off unless switched on.
do setmetatable({}, {__gc = function() error("lost") end}) end
collectgarbage()
print("quiet")
-- Finalizers may allocate, create objects with finalizers, and collect.
local runs = 0
do
  setmetatable({}, {__gc = function()
    runs = runs + 1
    local t = {}
    for i = 1, 100 do t[i] = {i} end
    setmetatable({}, {__gc = function() runs = runs + 1 end})
    print(collectgarbage("count") > 0)
  end})
end
collectgarbage() collectgarbage()
print(runs)
-- pcall and coroutines inside a finalizer.
do
  setmetatable({}, {__gc = function()
    print(pcall(error, "inside", 0))
    print(coroutine.wrap(function() coroutine.yield(1) end)())
    print(coroutine.isyieldable())
  end})
end
collectgarbage()
local co = coroutine.wrap(function()
  do setmetatable({}, {__gc = function() print("in coroutine") end}) end
  collectgarbage()
  coroutine.yield("yielded")
end)
print(co())
--> quiet
--> 2
--> false	inside
--> 1
--> false
--> in coroutine
--> yielded
