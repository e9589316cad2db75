-- Finalizers that make finalizers, loop, resurrect and fail while the VM closes do not hold it up.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
local function again(o) setmetatable({o}, getmetatable(o)) kept = o end
local all = {}
for i = 1, 1000 do all[i] = setmetatable({}, {__gc = again}) end
local loop = setmetatable({}, {__gc = function() while true do pcall(function() while true do end end) end end})
local fails = setmetatable({}, {__gc = function() error(setmetatable({}, {__tostring = function() while true do end end})) end})
local collects = setmetatable({}, {__gc = function() collectgarbage() collectgarbage("step", 100) end})
local yields = setmetatable({}, {__gc = function() coroutine.yield() end})
local co = coroutine.wrap(function()
  local x <close> = setmetatable({}, {__close = function() while true do end end})
  coroutine.yield()
end)
co()
local grows = setmetatable({}, {__gc = function() local t = {} while true do t[#t + 1] = setmetatable({}, {__gc = again}) end end})
print("closing")
--> closing
