-- Every turn of a loop has its own variables.
local fs = {}
for i = 1, 3 do fs[i] = function() i = i + 10 return i end end
print(fs[1](), fs[1](), fs[2](), fs[3]())
fs = {}
for i, v in ipairs {"a", "b", "c"} do fs[i] = function() return i .. v end end
print(fs[1](), fs[2](), fs[3]())
fs = {}
local n = 0
while n < 3 do
  n = n + 1
  local mine = n
  fs[n] = function() mine = mine * 2 return mine, n end
end
print(fs[1]()) print(fs[1]()) print(fs[3]())
fs = {}
for i = 1, 3 do
  local a, b = i, i * i
  fs[#fs + 1] = function() return a, b end
  fs[#fs + 1] = function(x) a = x b = b + 1 end
end
fs[2](50) print(fs[1]()) print(fs[3]())
-- break and goto leave with the captured variables closed.
local get
for i = 1, 10 do local x = i; get = function() x = x + 1 return x end if i == 4 then break end end
print(get(), get())
for i = 1, 10 do
  local x = i * 100
  get = function() return x end
  if i == 3 then goto done end
end
::done::
print(get())
-- Captured by two closures in the same turn, shared between them and nobody else.
local pairs_ = {}
for i = 1, 2 do
  local shared = 0
  pairs_[i] = {up = function() shared = shared + 1 return shared end, get = function() return shared end}
end
pairs_[1].up() pairs_[1].up() pairs_[2].up()
print(pairs_[1].get(), pairs_[2].get())
-- A closure inside a condition.
local i = 0
while (function() i = i + 1 return i < 3 end)() do end
print(i)
-- Reusing a register after a block with a captured variable.
local out = {}
for k = 1, 3 do
  do local captured = k out[k] = function() return captured end end
  do local other = "overwrites" end
  local another = -1
end
print(out[1](), out[2](), out[3]())
--> 11	21	12	13
--> 1a	2b	3c
--> 2	3
--> 4	3
--> 6	3
--> 50	2
--> 2	4
--> 5	6
--> 300
--> 2	1
--> 3
--> 1	2	3
