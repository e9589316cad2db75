-- sort: orders, comparators, stability not promised, errors, inconsistent comparators, sizes.
local function sorted(t, f) table.sort(t, f) return table.concat(t, " ") end
print(sorted {3, 1, 2}) print(sorted {}) print(sorted {1}) print(sorted {2, 1})
print(sorted {"b", "a", "C"}) print(sorted({3, 1, 2}, function(a, b) return a > b end))
print(sorted {1.5, 1, 2, 0.5}) print(sorted {5, 5, 5, 5})
local words = {}
for w in ("the quick brown fox jumps over the lazy dog"):gmatch("%a+") do words[#words + 1] = w end
print(sorted(words))
print(sorted(words, function(a, b) if #a ~= #b then return #a < #b end return a < b end))
local function check(t, f) f = f or function(a, b) return a < b end for i = 2, #t do assert(not f(t[i], t[i - 1])) end return #t end
for _, n in ipairs {10, 100, 1000, 5000} do
  local up, down, same, saw, rnd = {}, {}, {}, {}, {} local seed = 42
  for i = 1, n do up[i] = i down[i] = n - i same[i] = 7 saw[i] = i % 17 seed = (seed * 1103515245 + 12345) % 2147483648 rnd[i] = seed end
  for _, t in ipairs {up, down, same, saw, rnd} do table.sort(t) check(t) table.sort(t, function(a, b) return a > b end) check(t, function(a, b) return a > b end) end
end print("all sizes")
local recs = {}
for i = 1, 200 do recs[i] = {k = i * 7919 % 211, v = i} end table.sort(recs, function(a, b) return a.k < b.k end)
print(check(recs, function(a, b) return a.k < b.k end))
print((pcall(table.sort, {1, "x"}))) print(pcall(table.sort, {{}, {}}))
print(pcall(table.sort, {3, 2, 1}, function() error("cmp", 0) end))
print(pcall(table.sort, {1, 2, 3}, function(a, b) return a.x < b.x end))
local ok, e
local t = {} for i = 1, 300 do t[i] = i end
ok, e = pcall(table.sort, t, function(a, b) return true end)
print(ok or e == "invalid order function for sorting")
ok = pcall(table.sort, t, function(a, b) return (a * 7 + b * 13) % 3 == 0 end)
print(type(ok))
local n = {}
for i = 1, 100 do n[i] = (i * 37) % 101 end table.sort(n, function(a, b) n.calls = (n.calls or 0) + 1 return a < b end)
print(check(n), n.calls > 100, n.calls < 2000)
local proxy = {3, 1, 2}
local reads = 0 table.sort(setmetatable({}, {__len = function() return 3 end, __index = function(_, i) reads = reads + 1 return proxy[i] end, __newindex = function(_, i, v) proxy[i] = v end}))
print(table.concat(proxy, " "), reads > 0)
print(pcall(table.sort, setmetatable({}, {__len = function() return math.maxinteger end})))
print(sorted {"10", "9", "2"}) print(sorted({"x", "y"}, function(a, b) return a > b end))
print(sorted {-1, -0.5, 0, math.huge, -math.huge, math.maxinteger})
local mt = {__lt = function(a, b) return a.v < b.v end} local objs = {}
for i = 1, 10 do objs[i] = setmetatable({v = (i * 3) % 10}, mt) end table.sort(objs)
print(objs[1].v, objs[5].v, objs[10].v)
--> 1 2 3
-->
--> 1
--> 1 2
--> C a b
--> 3 2 1
--> 0.5 1 1.5 2
--> 5 5 5 5
--> brown dog fox jumps lazy over quick the the
--> dog fox the the lazy over brown jumps quick
--> all sizes
--> 200
--> false
--> false	attempt to compare two table values
--> false	cmp
--> false	table/sort.lua:21: attempt to index a number value (local 'a')
--> true
--> boolean
--> 100	true	true
--> 1 2 3	true
--> false	bad argument #1 to 'table.sort' (array too big)
--> 10 2 9
--> y x
--> -inf -1 -0.5 0 9223372036854775807 inf
--> 0	4	9
