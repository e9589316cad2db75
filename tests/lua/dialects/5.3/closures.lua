-- A function expression gives the closure that it gave last if nothing could tell them apart.
-- dialect: 5.3
-- stress: skip, a collection forgets the last closure
local n, f = 0, {}
local function make(a) return function() return a end end
for i = 1, 3 do f[i] = function() return n end end
print(f[1] == f[2], f[2] == f[3], make(f) == make({}))
for i = 1, 3 do f[i] = function() return i end end
print(f[1] == f[2])
--> true	true	false
--> false
