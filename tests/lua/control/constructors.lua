-- Table constructors: positional, named, computed, nested, with calls and varargs.
local t = {1, 2, 3; x = 1, ["y z"] = 2, [10] = 10, 4}
print(#t, t[4], t.x, t["y z"], t[10])
local function f() return "a", "b", "c" end
print(#{f()}, #{f(), f()}, #{(f())}, #{f(), nil}, #{f(), x = 1})
local function g(...) return {...}, {n = select("#", ...), ...}, {..., 1} end
local p, q, r = g(1, 2, 3)
print(#p, q.n, #q, #r, r[1], r[2])
print(#{n = 1}, #{[1] = 1, [2] = 2, [3] = 3}, #{nil, nil, 3} == 3)
local nested = {{1, {2, {3}}}, {a = {b = {c = "deep"}}}}
print(nested[1][2][2][1], nested[2].a.b.c)
local big = {}
for i = 1, 120 do big[i] = i end
local copy = {table.unpack(big)}
print(#copy, copy[120])
local fifty = {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,
41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60, table.unpack(big)}
print(#fifty, fifty[60], fifty[61], fifty[180])
print(pcall(function() return {[nil] = 1} end))
print(pcall(function() return {[0/0] = 1} end))
local key = {}
local kt = {[key] = "table", [f] = "function", [true] = "bool", [1.5] = "float"}
print(kt[key], kt[f], kt[true], kt[1.5], kt[{}])
print(next({}), #"", #{})
--> 4	4	1	2	10
--> 3	4	1	1	1
--> 3	3	3	2	1	1
--> 0	3	true
--> 3	deep
--> 120	120
--> 180	60	1	120
--> false	control/constructors.lua:19: table index is nil
--> false	control/constructors.lua:20: table index is NaN
--> table	function	bool	float	nil
--> nil	0	0
