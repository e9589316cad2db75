-- Errors in coroutines: messages, status after, tracebacks of the dead, errors through several levels.
local co = coroutine.create(function() local t = nil; return t.x end)
print(coroutine.resume(co)) print(coroutine.status(co), coroutine.resume(co))
co = coroutine.create(function() coroutine.yield() error("after yield") end)
coroutine.resume(co) print(coroutine.resume(co))
print((debug.traceback(co):gsub("\n%s+%[C%]:[^\n]*", "\n  [C]")))
print(debug.traceback(co, "msg", 0):match("^msg\nstack traceback:") ~= nil)
co = coroutine.create(function() error({1, 2}) end)
local ok, e = coroutine.resume(co) print(ok, type(e), #e)
co = coroutine.create(function() error(nil) end)
print(coroutine.resume(co))
local function level(n) if n == 0 then error("deep", 0) end local c = coroutine.create(level) local ok, m = coroutine.resume(c, n - 1) error(n .. ":" .. tostring(m), 0) end
print(pcall(level, 3))
print(coroutine.close(co), coroutine.status(co))
co = coroutine.create(function() return pcall(function() coroutine.yield("in pcall") error("caught", 0) end) end)
print(coroutine.resume(co)) print(coroutine.resume(co))
-- Recursion of coroutines inside coroutines is limited, with an error.
local function nest() local c = coroutine.create(nest) return coroutine.resume(c) end
local ok, m
local depth = 0
local function deeper() depth = depth + 1 local r = {coroutine.resume(coroutine.create(deeper))} if not r[1] then ok, m = r[1], r[2] end return true end
deeper()
print(ok, m and m:match("C stack overflow"), depth > 100)
print(select(2, pcall(coroutine.wrap(function() return coroutine.wrap(function() error("inner", 0) end)() end))))
co = coroutine.wrap(function() return xpcall(function() coroutine.yield() local x = {} + 1 end, function(m) return "H: " .. m end) end)
co() print(co())
--> false	coroutines/errors.lua:2: attempt to index a nil value (local 't')
--> dead	false	cannot resume dead coroutine
--> false	coroutines/errors.lua:4: after yield
--> stack traceback:
-->   [C]
--> 	coroutines/errors.lua:4: in function <coroutines/errors.lua:4>
--> true
--> false	table	2
--> false	nil
--> false	3:2:1:deep
--> false	dead
--> true	in pcall
--> true	false	caught
--> false	C stack overflow	true
--> coroutines/errors.lua:24: inner
--> false	H: coroutines/errors.lua:25: attempt to perform arithmetic on a table value
