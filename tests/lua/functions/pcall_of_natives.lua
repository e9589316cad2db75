-- pcall of natives: of those that return, throw, call, switch, and of pcall itself.
print(pcall(rawequal, 1, 1), pcall(rawlen), select('#', pcall(print)))
print(type(select(2, pcall(error, {}))))
print(pcall(error, "x", 0))
print(pcall(pcall, error, "y"))
print(pcall(string.gsub, "abc", "b", function() error("in") end))
print(pcall(table.sort, {3,2,1}, function(a,b) return a<b end))
print(pcall(tostring, setmetatable({}, {__tostring=function() return "ts" end})))
print(pcall(coroutine.yield))
local co = coroutine.wrap(function() print("got", pcall(coroutine.yield, 1, 2)) return 3 end)
print(co()) print(co("a","b"))
print(pcall(select, -1, 1, 2, 3), (pcall(next, {})))
print(pcall(string.rep)) print(pcall(setmetatable, 1))
local t = {} for i=1,3 do t[i] = select(i, pcall(math.max, 1, 5)) end print(t[1], t[2], t[3])
print(pcall(load, "x ="))
print(pcall(require, "nope") == false)
--> 
--> true	false	1
--> table
--> false	x
--> true	false	y
--> false	functions/pcall_of_natives.lua:6: in
--> true
--> true	ts
--> false	attempt to yield from outside a coroutine
--> 1	2
--> got	true	a	b
--> 3
--> true	true
--> false	bad argument #1 to 'string.rep' (string expected, got no value)
--> false	bad argument #1 to 'setmetatable' (table expected, got number)
--> true	5	nil
--> true	nil	[string "x ="]:1: unexpected symbol near <eof>
--> true
