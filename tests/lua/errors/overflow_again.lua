-- A stack that has overflowed once and has been handled overflows the same way again.
-- stress: skip, deep recursion
local function loop(x, y, z) return 1 + loop(x, y, z) end
local function try()
  return xpcall(loop, function(m)
    print(m:match("stack overflow"), select(2, pcall(loop)):match("error in error handling"), math.sin(0) == 0)
    return 15
  end)
end
for _ = 1, 4 do print(try()) end
print(coroutine.wrap(function() return try(), try() end)())
local function deep(n) if n == 0 then return try() end return (deep(n - 1)) end
print(deep(100), deep(100))
--> stack overflow	error in error handling	true
--> false	15
--> stack overflow	error in error handling	true
--> false	15
--> stack overflow	error in error handling	true
--> false	15
--> stack overflow	error in error handling	true
--> false	15
--> stack overflow	error in error handling	true
--> stack overflow	error in error handling	true
--> false	false	15
--> stack overflow	error in error handling	true
--> stack overflow	error in error handling	true
--> false	false
