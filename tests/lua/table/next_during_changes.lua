-- next over tables that are cleared, refilled and grown between traversals; every live key appears exactly once.
local function count(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
local t = {}
for round = 1, 5 do for i = 1, 500 do t["r" .. round .. "_" .. i] = i end for k in pairs(t) do if #k % 2 == 0 then t[k] = nil end end print(round, count(t)) end
local seen, dup = {}, false for k in pairs(t) do if seen[k] then dup = true end seen[k] = true end print(dup)
for k in pairs(t) do t[k] = nil end print(next(t), count(t)) t.x = 1 print(next(t))
local a = {} for i = 1, 64 do a[i] = i end
for k, v in pairs(a) do if k % 2 == 0 then a[k] = nil end end
print(count(a), a[1], a[2], a[63])
local order = {} for k, v in pairs {10, 20, 30} do order[#order + 1] = k .. "=" .. v end
print(table.concat(order, " "))
local q = {} local head, tail = 1, 0
for i = 1, 10000 do tail = tail + 1 q[tail] = i if i > 10 then q[head] = nil head = head + 1 end end
print(count(q), q[tail], next(q) ~= nil)
local k local steps = 0 local m = {a = 1, b = 2, c = 3}
repeat k = next(m, k) steps = steps + 1 until k == nil print(steps)
for k in pairs(m) do m[k] = m[k] + 1 end local s = 0 for _, v in pairs(m) do s = s + v end print(s)
print(pcall(next, m, "nokey")) print(pcall(next, {1, 2}, 5)) print(next({1, 2}, 2), next({1, 2}, 1))
--> 1	90
--> 2	180
--> 3	270
--> 4	360
--> 5	450
--> false
--> nil	0
--> x	1
--> 32	1	nil	63
--> 1=10 2=20 3=30
--> 10	10000	true
--> 4
--> 9
--> false	invalid key to 'next'
--> false	invalid key to 'next'
--> nil	2	2
