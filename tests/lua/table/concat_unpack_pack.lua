-- concat, unpack, pack, with ranges and limits.
print(table.concat({}), table.concat({1, 2, 3}), table.concat({1, 2, 3}, ", "), table.concat({"a", 1.5, 2}, "-", 2), table.concat({1, 2, 3}, ",", 2, 3), table.concat({1, 2, 3}, ",", 3, 2), table.concat({[5] = "five"}, "", 5, 5))
print(pcall(table.concat, {1, {}, 3})) print(pcall(table.concat, {1, nil, 3}, ",", 1, 3))
print(pcall(table.concat, {true}))
print(#table.concat({("x"):rep(1000), ("y"):rep(1000)}, ("z"):rep(10)))
print(table.concat({1, 2}, ",", math.maxinteger, math.maxinteger - 1), pcall(table.concat, {}, "x", math.maxinteger - 1, math.maxinteger))
print(table.unpack({})) print(table.unpack({1, 2, 3}))
print(table.unpack({1, nil, 3}, 1, 3)) print(table.unpack({1, 2, 3}, 2))
print(table.unpack({1, 2, 3}, 2, 3)) print(table.unpack({1, 2}, -1, 1))
print((table.unpack({1, 2})))
print(select("#", table.unpack({}, 1, 200)), select("#", table.unpack({n = 3})), pcall(table.unpack, {}, 1, 1e7))
print(pcall(table.unpack, {}, math.mininteger, math.maxinteger))
print(table.unpack({}, math.maxinteger, math.maxinteger))
print(pcall(table.unpack, {}, 0, math.maxinteger)) print(table.unpack({1}, 2, 1))
print(table.unpack("abc", 1, 2) == nil) 
local p = table.pack() print(p.n, #p) p = table.pack(nil, nil)
print(p.n, #p) p = table.pack(1, nil, 3) print(p.n, p[1], p[2], p[3])
print(pcall(table.unpack, nil)) print(pcall(table.concat, nil)) print(table.concat({1, 2, 3}, 0))
local big = {} for i = 1, 5000 do big[i] = i end
print(select("#", table.unpack(big)), (select(5000, table.unpack(big))))
print(#table.concat(big, " "), #table.pack(table.unpack(big)))
--> 	123	1, 2, 3	1.5-2	2,3		five
--> false	invalid value (table) at index 2 in table for 'concat'
--> false	invalid value (nil) at index 2 in table for 'concat'
--> false	invalid value (boolean) at index 1 in table for 'concat'
--> 2010
--> 	false	invalid value (nil) at index 9223372036854775806 in table for 'concat'
-->
--> 1	2	3
--> 1	nil	3
--> 2	3
--> 2	3
--> nil	nil	1
--> 1
--> 200	0	false	too many results to unpack
--> false	too many results to unpack
--> nil
--> false	too many results to unpack
-->
--> true
--> 0	0
--> 2	0
--> 3	1	nil	3
--> false	attempt to get length of a nil value
--> false	bad argument #1 to 'table.concat' (table expected, got nil)
--> 10203
--> 5000	5000
--> 23892	5000
