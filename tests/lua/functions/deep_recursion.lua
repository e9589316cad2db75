-- Runaway recursion is an error that can be caught, again and again, and leaves nothing behind.
local function down(n) return 1 + down(n + 1) end
for _ = 1, 3 do
  local ok, message = pcall(down, 1)
  print(ok, message:match("stack overflow"))
end
local depth = 0
local function count() depth = depth + 1 count() end
print((pcall(count)), depth > 1000)
-- Deep but finite recursion works.
local function sum(n) if n == 0 then return 0 end return n + sum(n - 1) end
print(sum(10000))
-- Through metamethods, pcall, tostring and coroutines.
local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end})
print(select(2, pcall(function() return t[1] end)):match("overflow"))
local t2 = setmetatable({}, {__add = function(a, b) return a + b end})
print(select(2, pcall(function() return t2 + t2 end)):match("overflow"))
local t3 = setmetatable({}, {__tostring = function(x) return tostring(x) end})
print((pcall(tostring, t3)))
local t4 = setmetatable({}, {__eq = function(a, b) return a == b end})
print((pcall(function() return t4 == setmetatable({}, getmetatable(t4)) end)))
local function nest() local ok, message = pcall(nest) return ok, type(message) end
print((nest()))
print(select(2, pcall(string.rep, "x", -1)))
local function handler() local x = nil; return x.y end
print((xpcall(down, function(m) return m:match("overflow") end, 1)))
print("still alive")
--> false	stack overflow
--> false	stack overflow
--> false	stack overflow
--> false	true
--> 50005000
--> overflow
--> overflow
--> false
--> false
--> true
-->
--> false
--> still alive
