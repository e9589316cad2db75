-- Where the reference cannot yield. Rille refuses the same under --strict only.
-- flags: --strict
local function try(f) print(coroutine.wrap(function() return pcall(f) end)()) end
try(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield() return a < b end) end)
try(function() return (("abc"):gsub("%w", function() coroutine.yield() end)) end)
try(function() return load(function() coroutine.yield() return nil end) end)
try(function() return tostring(setmetatable({}, {__tostring = function() coroutine.yield() end})) end)
try(function() return table.concat(setmetatable({}, {__len = function() return 1 end, __index = function() coroutine.yield() end})) end)
print(coroutine.wrap(function()
  local seen
  table.sort({2, 1}, function(a, b) seen = coroutine.isyieldable() return a < b end)
  return seen, coroutine.isyieldable()
end)())
print(pcall(coroutine.yield))
print(select(2, pcall(table.sort, {2, 1}, coroutine.yield)))
--> false	attempt to yield across a C-call boundary
--> false	attempt to yield across a C-call boundary
--> true	nil	attempt to yield across a C-call boundary
--> false	attempt to yield across a C-call boundary
--> false	attempt to yield across a C-call boundary
--> false	true
--> false	attempt to yield from outside a coroutine
--> attempt to yield from outside a coroutine
