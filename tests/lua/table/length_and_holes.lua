-- The length operator: any border is allowed, sequences have exactly one; growth and shrinking keep values.
local t = {} print(#t) for i = 1, 100 do t[i] = i assert(#t == i) end
for i = 100, 1, -1 do t[i] = nil assert(#t == i - 1) end print(#t)
local function border(t) local n = #t return n == 0 and t[1] == nil or n > 0 and t[n] ~= nil and t[n + 1] == nil end
local h = {} h[1] = 1 h[2] = 2 h[4] = 4 print(border(h)) h[3] = 3 print(#h) h[2] = nil
print(border(h)) local sparse = {[1000000] = 1}
print(#sparse, border {nil, nil, 3}, border {1, nil, 3}, border {nil, 2})
local r = {} for i = 100, 1, -1 do r[i] = i end print(#r) local e = {}
for i = 2, 100, 2 do e[i] = i end for i = 1, 99, 2 do e[i] = i end print(#e)
local f = {} f[1.0] = "a" f[2] = "b" f[3.0] = "c" print(#f, f[1], f[2.0])
local neg = {[-1] = 1, [0] = 2, "x"} print(#neg, neg[-1], neg[0])
local big = {} for i = 1, 100000 do big[i] = i end local sum = 0
for i = 1, #big do sum = sum + big[i] end print(#big, sum)
for i = 1, 99990 do big[i] = nil end local left = 0
for _ in pairs(big) do left = left + 1 end print(left, big[100000])
local mixed = {}
for i = 1, 1000 do mixed[i] = i mixed["k" .. i] = -i mixed[i + 0.5] = i end local n = 0
for _, v in pairs(mixed) do n = n + 1 end print(n, #mixed, mixed.k500, mixed[500.5])
for i = 1, 1000 do mixed["k" .. i] = nil end n = 0 for _ in pairs(mixed) do n = n + 1 end
print(n)
local keys = {}
local ks = {1, 1.5, "s", true, false, print, {}, coroutine.create(print), math.huge, -math.huge, math.mininteger, math.maxinteger, 2^53, -0.0}
for i, k in ipairs(ks) do keys[k] = i end local ok = true
for i, k in ipairs(ks) do ok = ok and keys[k] == i end print(ok, keys[0], keys[2^53 | 0])
print(pcall(rawset, {}, 0/0, 1)) print(({[1] = "a", [1.0] = "b"})[1], #{n = 1, 2, 3}, rawlen({1, 2}), next({}, nil))
--> 0
--> 0
--> true
--> 4
--> true
--> 0	true	true	true
--> 100
--> 100
--> 3	a	b
--> 1	1	2
--> 100000	5000050000
--> 10	100000
--> 3000	1000	-500	500
--> 2000
--> true	14	13
--> false	table index is NaN
--> b	2	2	nil
