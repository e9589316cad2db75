local x, y, z = 1 local function f() x = x + 1 return function() return x, y, z, f, _ENV end end
for i = 1, 2 do local j = i f = function() j = j + i return i, j end end
local function g(_ENV) return a, b.c, d end goto e ::e:: return f(g(x, f()), f())