-- insert, remove, and the positions they accept.
local function show(t) print(#t, table.concat(t, " ")) end
local t = {} table.insert(t, "a") table.insert(t, "c") table.insert(t, 2, "b") table.insert(t, 1, "z") table.insert(t, 5, "end")
show(t)
print(table.remove(t), table.remove(t, 1), table.remove(t, 2)) show(t)
print(table.remove({}), table.remove({}, 0), table.remove({}, nil), select("#", table.remove({})), #t, table.remove(t, 3))
print(pcall(table.insert, t, 0, "x")) print(pcall(table.insert, t, 4, "x"))
print(pcall(table.insert, t, 1, 2, 3)) print(pcall(table.insert, t))
local empty = {[0] = "zero"} print(table.remove(empty, 0), empty[0])
local n = {n = 1} table.insert(n, "x") print(n[1], n.n)
local q = {} for i = 1, 1000 do table.insert(q, 1, i) end for i = 1, 990 do table.remove(q, 1) end show(q)
local s = {} for i = 1, 1000 do s[#s + 1] = i end while #s > 3 do s[#s] = nil end show(s)
local holes = {1, 2, nil, 4} print(holes[4], #holes == 4 or #holes == 2)
local proxy = setmetatable({}, {__len = function() return 2 end, __index = function(_, i) return "v" .. i end, __newindex = function(_, k, v) print("set", k, v) end})
table.insert(proxy, "new") print(table.remove(proxy))
--> 5	z a b c end
--> end	z	b
--> 2	a c
--> nil	nil	nil	1	2	nil
--> false	bad argument #2 to 'table.insert' (position out of bounds)
--> false	bad argument #2 to 'table.insert' (position out of bounds)
--> false	wrong number of arguments to 'insert'
--> false	wrong number of arguments to 'insert'
--> zero	nil
--> x	1
--> 10	10 9 8 7 6 5 4 3 2 1
--> 3	1 2 3
--> 4	true
--> set	3	new
--> set	2	nil
--> v2
