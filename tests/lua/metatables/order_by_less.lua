-- Comparisons whose metamethods are Lua functions: results of any kind, jumps both ways, and loops that they decide.
local truths = { true, false, 1, nil, "" }
local meta = {}
local function object(n) return setmetatable({ n = n }, meta) end
local a, b = object(1), object(2)
local function decide(x, y)
  local s = ""
  s = s .. (x < y and "t" or "f") .. (x <= y and "t" or "f") .. (x > y and "t" or "f") .. (x >= y and "t" or "f")
  s = s .. (x == y and "t" or "f") .. (x ~= y and "t" or "f")
  if x < y then s = s .. "<" end
  if not (x <= y) then s = s .. "!" end
  if x == y then s = s .. "=" else s = s .. "#" end
  return s
end
meta.__lt = function(x, y) return x.n < y.n end
meta.__le = function(x, y) return x.n <= y.n end
meta.__eq = function(x, y) return x.n == y.n end
print(decide(a, b), decide(b, a), decide(a, object(1)))
for i = 1, 5 do
  meta.__lt, meta.__le, meta.__eq = function() return truths[i] end, function() return truths[i] end, function() return truths[i] end
  print(i, decide(a, b))
end
-- With small numbers.
meta.__lt = function(x, y) return (type(x) == "table" and x.n or x) < (type(y) == "table" and y.n or y) end
meta.__le = function(x, y) return (type(x) == "table" and x.n or x) <= (type(y) == "table" and y.n or y) end
print(a < 1, a <= 1, a > 1, a >= 1, 1 < a, 1 <= a, b > 1, b >= 3, a < 1.5, 2 <= a)
-- A loop that a metamethod ends.
local n = object(0)
while n < 10 do n.n = n.n + 1 end
repeat n.n = n.n - 1 until n <= 3
print(n.n)
-- Results: none, too many; arguments: too few parameters, extra ones.
meta.__add = function() end
meta.__sub = function(x, y) return 1, 2, 3 end
meta.__mul = function(...) return select("#", ...) end
meta.__unm = function(x, y, z) return x == y, z end
meta.__len = function(x) return x.n end
meta.__concat = function(x, y) return (type(x) == "table" and "o" or x) .. (type(y) == "table" and "o" or y) end
meta.__index = function(t, k) return k .. "!" end
meta.__call = function(self, ...) return select("#", ...), ... end
print(a + 1, a - 1, a * 1, 2 * a, #a, a .. "x", "x" .. a .. b .. 1, a.key, a[1])
print(a(), (a(1, nil)), select("#", a(nil, nil)))
-- Metamethods that call metamethods.
meta.__add = function(x, y) if y == 0 then return 0 end return 1 + (x + (y - 1)) end
print(a + 100)
meta.__div = function(x, y) return x / y end
print(pcall(function() return a / b end) == false)
--> ttffft<#	ffttft!#	ftfttf=
--> 1	tttttf<=
--> 2	ffffft!#
--> 3	tttttf<=
--> 4	ffffft!#
--> 5	tttttf<=
--> false	true	false	true	false	true	true	false	true	false
--> 3
--> nil	1	2	2	1	ox	xoo1	key!	1!
--> 0	2	3
--> 100
--> true
