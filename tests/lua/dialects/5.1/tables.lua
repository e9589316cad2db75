-- The table library of 5.1 is raw, and has functions that later versions dropped.
-- dialect: 5.1
print(pcall(table.insert, {}, 1, 2, 3)) print(pcall(table.insert, {})) local t = {1, 2, 3} table.insert(t, 2, "x") table.insert(t, "end") print(table.concat(t, ","), table.remove(t), table.remove(t, 1), table.concat(t, ","), table.remove(t, 2.9), #t)
print(pcall(table.concat, {1, {}, 3})) print(pcall(table.concat, {1, 2, 3}, ",", 2, 5)) print(table.concat({}, ","), table.concat({1, 2.5, "z"}), table.concat({1, 2, 3}, ", ", 2, 3), table.concat({1}, 7))
print(pcall(table.sort, {3, 1, "x"})) print(pcall(table.sort, {3, 2, 1, 4, 5}, function() return true end)) local s = {5, 2, 8, 1} table.sort(s) print(unpack(s)) table.sort(s, function(a, b) return a > b end) print(unpack(s)) local w = {"b", "a", "C"} table.sort(w) print(unpack(w))
print(pcall(unpack, {}, 1, 1e8)) print(unpack({1, 2, 3}, 2)) print(unpack({1, 2}, -1, 1)) print((unpack({1, 2})))
print(table.maxn{1, 2, [10] = 1, [2.5] = 1, x = 1}, table.maxn{}, table.maxn{[-1] = 1})
local big = {} for i = 1, 5000 do big[i] = 5001 - i end table.sort(big) print(big[1], big[5000], #big, table.maxn(big)) big[#big] = nil print(#big)

local p = setmetatable({1, 2, 3}, {__index = function(t, k) return "i" .. k end, __newindex = function(t, k, v) rawset(t, k, tostring(v) .. "!") end, __len = function() return 5 end})
print(pcall(table.insert, p, "v")) print(rawget(p, 4), rawget(p, 6), #p, table.concat(p, ","), unpack(p)) table.sort(p, function(a, b) return tostring(a) > tostring(b) end) print(rawget(p, 1), table.remove(p), #p)
print(pcall(table.setn, {}, 1)) print(table.getn{1, 2}, pcall(table.getn)) print(table.foreach({10}, function(k, v) print(k, v) return "r" end)) print(table.foreachi({10, 20}, function(k, v) print(k, v) end)) print(table.foreachi({10, 20, 30}, function(k, v) return k == 2 and v or nil end)) print(pcall(table.foreach, {}, 1)) print(pcall(table.foreach, {1}, function() error("inside", 0) end))
t = {} table.insert(t, 5, "far") print(t[5], #t) table.insert(t, -1, "low") print(t[-1], t[0], t[1]) print(pcall(table.remove, {}, 3)) print(select("#", table.remove({})), select("#", table.remove({1, 2}, 7)))
print(table.pack, table.unpack, pcall(table.insert, nil, 1)) print(pcall(table.concat, nil)) print(pcall(table.sort, {1, 2, 3}, 1)) print(pcall(unpack))
--> false	wrong number of arguments to 'insert'
--> false	wrong number of arguments to 'insert'
--> 1,x,2,3,end	end	1	x,2,3	2	2
--> false	invalid value (table) at index 2 in table for 'concat'
--> false	invalid value (nil) at index 4 in table for 'concat'
--> 	12.5z	2, 3	1
--> false	attempt to compare string with number
--> false	invalid order function for sorting
--> 1	2	5	8
--> 8	5	2	1
--> C	a	b
--> false	too many results to unpack
--> 2	3
--> nil	nil	1
--> 1
--> 10	0	0
--> 1	5000	5000	5000
--> 4999
--> true
--> v	nil	4	1,2,3,v	1	2	3	v
--> v	1	3
--> false	'setn' is obsolete
--> 2	false	bad argument #1 to '?' (table expected, got no value)
--> 1	10
--> r
--> 1	10
--> 2	20
-->
--> 20
--> false	bad argument #2 to '?' (function expected, got number)
--> false	inside
--> far	0
--> low	nil	nil
--> true
--> 0	0
--> nil	nil	false	bad argument #1 to '?' (table expected, got nil)
--> false	bad argument #1 to '?' (table expected, got nil)
--> false	bad argument #2 to '?' (function expected, got number)
--> false	bad argument #1 to '?' (table expected, got no value)
