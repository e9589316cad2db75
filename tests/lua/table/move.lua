-- move: overlaps, directions, other tables, metamethods, limits.
local function show(t) print(table.concat(t, " ")) end
show(table.move({1, 2, 3, 4, 5}, 2, 4, 1)) show(table.move({1, 2, 3, 4, 5}, 1, 3, 2))
show(table.move({1, 2, 3}, 1, 3, 4)) show(table.move({1, 2, 3}, 1, 0, 5))
show(table.move({1, 2, 3}, 1, 3, 1, {9, 9, 9, 9})) show(table.move({1, 2, 3}, 2, 3, 2))
local t = {} print(table.move({1, 2}, 1, 2, 1, t) == t, #t)
print(#table.move({1, 2, 3}, 1, 3, 3), table.move({[0] = "z"}, 0, 0, 1)[1], table.move({}, 1, 3, 1)[1])
print(pcall(table.move, {}, 1, math.maxinteger, 2))
print(pcall(table.move, {}, math.mininteger, 0, 1))
print(pcall(table.move, {}, -1, math.maxinteger, 2)) print(pcall(table.move, {}, 1, 2))
print(pcall(table.move, {}, 1, 2, 3, 4))
print(pcall(table.move, {}, 1, 3, math.maxinteger))
print(next(table.move({}, math.maxinteger, math.maxinteger, math.mininteger)), next(table.move({}, math.mininteger, math.mininteger, 1)))
local log = {}
local src = setmetatable({}, {__index = function(_, k) log[#log + 1] = "r" .. k return k * 10 end})
local dst = setmetatable({}, {__newindex = function(_, k, v) log[#log + 1] = "w" .. k .. "=" .. v end})
table.move(src, 1, 3, 5, dst) show(log)
log = {} table.move(src, 1, 3, 2, setmetatable({}, getmetatable(dst))) show(log)
local rec = setmetatable({}, {__index = function(_, k) log[#log + 1] = "r" .. k return k end, __newindex = function(_, k, v) log[#log + 1] = "w" .. k end})
log = {} table.move(rec, 1, 3, 2) show(log) log = {} table.move(rec, 2, 4, 1) show(log)
--> 2 3 4 4 5
--> 1 1 2 3 5
--> 1 2 3 1 2 3
--> 1 2 3
--> 1 2 3 9
--> 1 2 3
--> true	2
--> 5	z	nil
--> false	bad argument #4 to 'table.move' (destination wrap around)
--> false	bad argument #3 to 'table.move' (too many elements to move)
--> false	bad argument #3 to 'table.move' (too many elements to move)
--> false	bad argument #4 to 'table.move' (number expected, got no value)
--> false	bad argument #5 to 'table.move' (table expected, got number)
--> false	bad argument #4 to 'table.move' (destination wrap around)
--> nil	nil
--> r1 w5=10 r2 w6=20 r3 w7=30
--> r1 w2=10 r2 w3=20 r3 w4=30
--> r3 w4 r2 w3 r1 w2
--> r2 w1 r3 w2 r4 w3
