-- Varargs: counting nils, passing on, truncation, and in every position.
local function count(...) return select("#", ...) end
print(count(), count(nil), count(nil, nil), count(1, nil, 3, nil))
local function pass(...) return ... end
print(pass()) print(pass(nil)) print(pass(1, nil, 3))
print((pass(1, 2, 3)), pass(1, 2), pass(3, 4))
local function first(a, ...) return a, count(...) end
print(first()) print(first(1)) print(first(1, 2, 3))
local function sum(...)
  local s = 0
  for i = 1, select("#", ...) do s = s + (select(i, ...)) end
  return s
end
print(sum(), sum(1), sum(1, 2, 3, 4))
local function packed(...) local t = {...} return #t, table.pack(...).n end
print(packed(1, 2, 3), packed())
local function locals(...) local a, b, c = ... return a, b, c end
print(locals(1)) print(locals(1, 2, 3, 4))
local function assign(...) local a, b a, b = 0, ... return a, b end
print(assign(5, 6))
local function nested(...)
  local outer = {...}
  return function(...) return #outer, select("#", ...), ... end
end
print(nested(1, 2, 3)("x", "y"))
local function recursive(n, ...) if n == 0 then return ... end return recursive(n - 1, n, ...) end
print(recursive(5))
print(select(-1, 1, 2, 3), select(-2, 1, 2, 3))
print(pcall(select, 0, 1)) print(pcall(select, -5, 1)) print(select(5, 1, 2))
print(pcall(select, "x"))
local function many(...) return select("#", ...) end
local t = {}
for i = 1, 250 do t[i] = i end
print(many(table.unpack(t)), (many(table.unpack(t, 1, 200))))
print(string.format("%d %d", pass(7, 8)), math.max(pass(3, 9, 2)))
local function method() local o = {v = 1} function o:m(...) return self.v, ... end return o:m(2, 3) end
print(method())
print(load("return ...")(1, 2), (load("local a, b = ... return b")(1, 2)))
local co = coroutine.wrap(function(...) print("co", ...) print("co", coroutine.yield(select("#", ...))) end)
print(co(1, nil)) co(nil, nil, 3)
--> 0	1	2	4
-->
--> nil
--> 1	nil	3
--> 1	1	3	4
--> nil	0
--> 1	0
--> 1	2
--> 0	1	10
--> 3	0	0
--> 1	nil	nil
--> 1	2	3
--> 0	5
--> 3	2	x	y
--> 1	2	3	4	5
--> 3	2	3
--> false	bad argument #1 to 'select' (index out of range)
--> false	bad argument #1 to 'select' (index out of range)
-->
--> false	bad argument #1 to 'select' (number expected, got string)
--> 250	200
--> 7 8	9
--> 1	2	3
--> 1	2
--> co	1	nil
--> 2
--> co	nil	nil	3
