-- LuaJIT's string.buffer, without what is for C.
-- dialect: 5.1
-- only: rille
local buffer = require "string.buffer" local b = buffer.new() print(#b, tostring(b), b:put("ab", 12, 1.5, "c") == b, tostring(b), #b)
print(b:get(2), b:get(1, 2), tostring(b), b:get(), #b, b:get(5)) b:putf("%d-%s", 3, "x"):put("!") print(b:tostring(), b .. "tail", "head" .. b) b:skip(2) print(tostring(b), b:skip(100) == b, #b) b:set("fresh") print(b:get(2), tostring(b)) b:reset() print(#b)
local o = setmetatable({}, {__tostring = function() return coroutine.yield("asked") end}) local co = coroutine.wrap(function() return tostring(buffer.new(100):put("<", o, ">")) end) print(co(), co("answer"))
print(pcall(b.put, b, {})) print(pcall(b.put, b, nil)) print(pcall(b.put, 1)) print(pcall(b.reserve, b, 10)) print(pcall(buffer.encode, {})) print(pcall(buffer.decode, "")) print(pcall(function() return b:putf("%d", "x") end)) local c = buffer.new() c:put("xy") b:put(c, c) print(tostring(b)) b:put(b) print(tostring(b), #b / 2) print(b:get(nil, 1), getmetatable(b))
local big = buffer.new() for i = 1, 10000 do big:put("line ", i, "\n") end local n = 0 while #big > 0 do n = n + #big:get(7) end print(n) print(tostring(buffer.new{}), require "string.buffer" == buffer)
--> 0		true	ab121.5c	8
--> ab	1	.5c	.5c	0	
--> 3-x!	3-x!tail	head3-x!
--> x!	true	0
--> fr	esh
--> 0
--> asked	<answer>
--> false	bad argument #2 to '?' (string expected, got table)
--> false	bad argument #2 to '?' (string expected, got nil)
--> false	bad argument #1 to '?' (buffer expected, got number)
--> false	string.buffer: 'reserve' is not available
--> false	string.buffer: 'encode' is not available
--> false	string.buffer: 'decode' is not available
--> false	bad argument #2 to '?' (number expected, got string)
--> xyxy
--> xyxyxyxy	4
--> xyxyxyxy	buffer
--> 98894
--> 	true
