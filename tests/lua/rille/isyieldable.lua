-- Inside a coroutine everything is yieldable; the main chunk is not.
-- only: rille
print(coroutine.isyieldable())
coroutine.wrap(function()
  print(coroutine.isyieldable())
  table.sort({2, 1}, function(a, b) io.write(tostring(coroutine.isyieldable()), " ") return a < b end)
  ;("x"):gsub(".", function() io.write(tostring(coroutine.isyieldable()), " ") end)
  tostring(setmetatable({}, {__tostring = function() io.write(tostring(coroutine.isyieldable()), "\n") return "" end}))
end)()
print(pcall(coroutine.yield))
print(pcall(table.sort, {2, 1}, coroutine.yield))
--> false
--> true
--> true true true
--> false	attempt to yield from outside a coroutine
--> false	attempt to yield from outside a coroutine
