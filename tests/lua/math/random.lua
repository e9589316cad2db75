-- random: ranges, seeds, reproducibility, errors. The generator is xoshiro256**, so seeded sequences are fixed.
math.randomseed(42)
local a, b, c = math.random(100), math.random(1000), math.random() math.randomseed(42)
print(a == math.random(100), b == math.random(1000), c == math.random())
math.randomseed(42)
print(math.random(1, 100), math.random(1, 100), math.random(1, 100), math.random(0) , math.random()) math.randomseed(123, 456)
print(math.random(1, 1000000), math.random(1, 1000000), math.random(0)) math.randomseed(7.0)
local x = math.random(0) math.randomseed(7) print(x == math.random(0))
local lo, hi = 1, 0
for _ = 1, 1000 do local r = math.random() lo, hi = math.min(lo, r), math.max(hi, r) assert(r >= 0 and r < 1) end
print(lo < 0.05, hi > 0.95) local seen = {}
for _ = 1, 500 do seen[math.random(6)] = true end print(#seen)
for _ = 1, 200 do local r = math.random(-5, 5) assert(r >= -5 and r <= 5 and math.type(r) == "integer") end
print(math.random(5, 5), math.type(math.random(math.mininteger, math.maxinteger)), math.random(math.maxinteger) > 0, math.random(math.mininteger, math.mininteger) == math.mininteger)
print(pcall(math.random, 0)  == true, pcall(math.random, 2, 1))
print(pcall(math.random, 1, 2, 3)) print(pcall(math.random, -5))
print(pcall(math.random, 1.5))
print(select("#", math.randomseed(5)), type(math.randomseed()))
local distinct = {} for _ = 1, 100 do distinct[math.random(0)] = true end local n = 0
for _ in pairs(distinct) do n = n + 1 end print(n > 95)
--> true	true	true
--> 50	76	86	-7059243630996204619	0.0096006865506838
--> 758446	618256	682430759296387938
--> true
--> true	true
--> 6
--> 5	integer	true	true
--> true	false	bad argument #1 to 'math.random' (interval is empty)
--> false	wrong number of arguments
--> false	bad argument #1 to 'math.random' (interval is empty)
--> false	bad argument #1 to 'math.random' (number has no integer representation)
--> 2	number
--> true
