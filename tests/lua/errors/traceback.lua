-- debug.traceback: names of functions, messages, levels, long stacks.
local function show(text) print((text:gsub("\n\t%[C%]: in %?$", ""))) end
local function inner() show(debug.traceback("message")) end
local function middle() inner() end
function globalfunction() middle() end
local t = {field = function() globalfunction() end}
function t:method() self.field() end
t:method()
pcall(function() show(debug.traceback("in pcall")) end)
show(debug.traceback("level 0", 0):gsub("in function 'debug.traceback'", "in function <traceback>") )
local function level2() show(debug.traceback("level 2", 2)) end
level2()
print(debug.traceback(nil) == nil, debug.traceback({}) ~= nil, debug.traceback(5):match("^5\n") ~= nil, debug.traceback(true))
show(debug.traceback())
local function tail() return debug.traceback("tail called") end
show((function() return tail() end)())
local co = coroutine.create(function() local function waits() coroutine.yield() end waits() end)
coroutine.resume(co)
print(debug.traceback(co)) print(debug.traceback(co, nil, 1)) print(debug.traceback(co, "with message"))
print(debug.traceback(coroutine.create(print)))
show(select(2, xpcall(function() local x = nil; x() end, debug.traceback)))
local function recurse(n) if n == 0 then return debug.traceback("deep") end return (recurse(n - 1)) end
local deep = recurse(50)
print(select(2, deep:gsub("\n", "")), deep:match("%.%.%.[^\n]*"))
setmetatable({}, {__index = function() show(debug.traceback("in metamethod")) end}).x = nil
local _ = setmetatable({}, {__index = function() show(debug.traceback("in __index")) end}).x
for _ in function() show(debug.traceback("in iterator")) end do end
table.sort({1, 2}, function() show(debug.traceback("in comparator")) return false end)
--> message
--> stack traceback:
--> 	errors/traceback.lua:3: in upvalue 'inner'
--> 	errors/traceback.lua:4: in upvalue 'middle'
--> 	errors/traceback.lua:5: in function 'globalfunction'
--> 	errors/traceback.lua:6: in field 'field'
--> 	errors/traceback.lua:7: in method 'method'
--> 	errors/traceback.lua:8: in main chunk
--> in pcall
--> stack traceback:
--> 	errors/traceback.lua:9: in function <errors/traceback.lua:9>
--> 	[C]: in function 'pcall'
--> 	errors/traceback.lua:9: in main chunk
--> level 0
--> stack traceback:
--> 	[C]: in function <traceback>
--> 	errors/traceback.lua:10: in main chunk
--> level 2
--> stack traceback:
--> 	errors/traceback.lua:12: in main chunk
--> false	true	true	true
--> stack traceback:
--> 	errors/traceback.lua:14: in main chunk
--> tail called
--> stack traceback:
--> 	errors/traceback.lua:15: in function <errors/traceback.lua:15>
--> 	(...tail calls...)
--> 	errors/traceback.lua:16: in main chunk
--> stack traceback:
--> 	[C]: in function 'coroutine.yield'
--> 	errors/traceback.lua:17: in local 'waits'
--> 	errors/traceback.lua:17: in function <errors/traceback.lua:17>
--> stack traceback:
--> 	errors/traceback.lua:17: in local 'waits'
--> 	errors/traceback.lua:17: in function <errors/traceback.lua:17>
--> with message
--> stack traceback:
--> 	[C]: in function 'coroutine.yield'
--> 	errors/traceback.lua:17: in local 'waits'
--> 	errors/traceback.lua:17: in function <errors/traceback.lua:17>
--> stack traceback:
--> errors/traceback.lua:21: attempt to call a nil value (local 'x')
--> stack traceback:
--> 	errors/traceback.lua:21: in function <errors/traceback.lua:21>
--> 	[C]: in function 'xpcall'
--> 	errors/traceback.lua:21: in main chunk
--> 23	...	(skipping 31 levels)
--> in __index
--> stack traceback:
--> 	errors/traceback.lua:26: in metamethod 'index'
--> 	errors/traceback.lua:26: in main chunk
--> in iterator
--> stack traceback:
--> 	errors/traceback.lua:27: in for iterator 'for iterator'
--> 	errors/traceback.lua:27: in main chunk
--> in comparator
--> stack traceback:
--> 	errors/traceback.lua:28: in function <errors/traceback.lua:28>
--> 	[C]: in function 'table.sort'
--> 	errors/traceback.lua:28: in main chunk
