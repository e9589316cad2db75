-- __pairs, next, ipairs with __index, and changes during a traversal.
local p = setmetatable({}, {__pairs = function(self) return function(_, k) k = (k or 0) + 1 if k <= 3 then return k, k * 10 end end, self, nil, "dropped" end})
for k, v in pairs(p) do io.write(k, "=", v, " ") end print()
print(select("#", pairs(p)), select("#", pairs({})))
local i = setmetatable({}, {__index = function(_, n) if n <= 4 then return "i" .. n end end})
for k, v in ipairs(i) do io.write(k, "=", v, " ") end print()
-- Clearing and assigning existing fields during a traversal is allowed.
local t = {}
for n = 1, 100 do t[n] = n t["k" .. n] = n end
local seen = 0
for k in pairs(t) do t[k] = nil seen = seen + 1 end
print(seen, next(t))
for n = 1, 10 do t[n] = n end
for k, v in pairs(t) do t[k] = v * 2 end
print(t[1], t[10])
-- Every key exactly once.
local keys = {a = 1, b = 2, [1] = 3, [2] = 4, [1.5] = 5, [true] = 6, [-1] = 7, [2^40] = 8}
local sum = 0
for _, v in pairs(keys) do sum = sum + v end
print(sum)
print(next({}), next({10}), next({x = 1}), pcall(next, {}, "no such key"), pcall(next))
print(rawequal(next, (pairs({}))))
print(pcall(pairs)) print((pcall(pairs, nil)))
local k, v = next({nil, 2})
print(k, v)
-- Removing while walking with next by hand.
local list = {}
for n = 1, 20 do list["x" .. n] = true end
local k, count = next(list), 0
while k do local following = next(list, k) list[k] = nil k = following count = count + 1 end
print(count, next(list))
--> 1=10 2=20 3=30 
--> 3	3
--> 1=i1 2=i2 3=i3 4=i4 
--> 200	nil
--> 2	20
--> 36
--> nil	1	x	false	false	bad argument #1 to 'next' (table expected, got no value)
--> true
--> false	bad argument #1 to 'pairs' (value expected)
--> true
--> 2	2
--> 20	nil
