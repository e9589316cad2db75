-- A replacement function may yield, and so may an __index of a replacement table.
-- only: rille
local co = coroutine.wrap(function()
  local s, n = ("a b c"):gsub("%w", function(c) return coroutine.yield(c) end)
  return s, n
end)
print(co()) print(co("1")) print(co(false)) print(co("33"))
local lazy = setmetatable({}, {__index = function(_, k) return coroutine.yield("need " .. k) end})
co = coroutine.wrap(function() return (("$x and $y"):gsub("%$(%w)", lazy)) end)
print(co()) print(co("one")) print(co("two"))
co = coroutine.create(function() return (("abc"):gsub("%w", function(c) coroutine.yield(c) error("bad " .. c, 0) end)) end)
print(coroutine.resume(co)) print(coroutine.resume(co))
co = coroutine.wrap(function() return pcall(string.gsub, "ab", "%w", function(c) return coroutine.yield(c) end) end)
print(co()) print(co({}))
--> a
--> b
--> c
--> 1 b 33	3
--> need x
--> need y
--> one and two
--> true	a
--> false	bad a
--> a
--> false	invalid replacement value (a table)
