-- The table library of 5.2 is raw but for the length.
-- dialect: 5.2
print(pcall(table.insert, {}, 1, 2, 3)) print(pcall(table.insert, {})) local t = {1, 2, 3} table.insert(t, 2, "x") table.insert(t, "end") print(table.concat(t, ","), table.remove(t), table.remove(t, 1), table.concat(t, ","), table.remove(t, 2.9), #t)
print(pcall(table.concat, {1, {}, 3})) print(pcall(table.concat, {1, 2, 3}, ",", 2, 5)) print(table.concat({}, ","), table.concat({1, 2.5, "z"}), table.concat({1, 2, 3}, ", ", 2, 3), table.concat({1}, 7))
print(pcall(table.sort, {3, 1, "x"})) print(pcall(table.sort, {3, 2, 1, 4, 5}, function() return true end)) local s = {5, 2, 8, 1} table.sort(s) print(table.unpack(s)) table.sort(s, function(a, b) return a > b end) print(table.unpack(s)) local w = {"b", "a", "C"} table.sort(w) print(table.unpack(w))
print(pcall(table.unpack, {}, 1, 1e8)) print(table.unpack({1, 2, 3}, 2)) print(table.unpack({1, 2}, -1, 1)) print((table.unpack({1, 2})))
print(table.maxn{1, 2, [10] = 1, [2.5] = 1, x = 1}, table.maxn{}, table.maxn{[-1] = 1})
local big = {} for i = 1, 5000 do big[i] = 5001 - i end table.sort(big) print(big[1], big[5000], #big, table.maxn(big)) big[#big] = nil print(#big)

local p = setmetatable({1, 2, 3}, {__index = function(t, k) return "i" .. k end, __newindex = function(t, k, v) rawset(t, k, tostring(v) .. "!") end, __len = function() return 5 end})
table.insert(p, "v") print(rawget(p, 4), rawget(p, 6), #p, pcall(table.concat, p, ",")) print(table.unpack(p)) print(table.remove(p), rawget(p, 5))
print(pcall(table.insert, {}, 5, 2)) print(pcall(table.insert, {1, 2}, 0, 9)) print(pcall(table.remove, {}, 3)) print(pcall(table.remove, {1, 2}, 7)) print(table.remove({}, 0), table.remove({1, 2}, 3), select("#", table.remove({})))
print(table.pack(1, nil, 3).n, table.pack().n, unpack == table.unpack, table.getn, table.setn, table.foreach, table.foreachi, table.move) print(pcall(table.insert, nil, 1)) print(pcall(table.concat, nil))
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
--> nil	v	5	false	invalid value (nil) at index 4 in table for 'concat'
--> 1	2	3	nil	nil
--> nil	nil
--> false	bad argument #2 to 'table.insert' (position out of bounds)
--> false	bad argument #2 to 'table.insert' (position out of bounds)
--> false	bad argument #1 to 'table.remove' (position out of bounds)
--> false	bad argument #1 to 'table.remove' (position out of bounds)
--> nil	nil	1
--> 3	0	true	nil	nil	nil	nil	nil
--> false	bad argument #1 to 'table.insert' (table expected, got nil)
--> false	bad argument #1 to 'table.concat' (table expected, got nil)
