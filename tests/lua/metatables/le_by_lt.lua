-- Without __le, `a <= b` is `not (b < a)` by __lt: so up to 5.4, as its interpreter is built by default.
local log = {}
local mt = {__lt = function(a, b)
  local x, y = type(a) == "table" and a.v or a, type(b) == "table" and b.v or b
  log[#log + 1] = x .. "<" .. y
  return x < y
end}
local one, two = setmetatable({v = 1}, mt), setmetatable({v = 2}, mt)
print(one <= two, two <= one, one >= two, one <= one)
print(one <= 1, 1 <= one, one >= 2.5, 1.0 >= two, 2 <= one)
print(table.concat(log, " "))
print(pcall(function() return {} <= {} end))
mt.__lt = function(a, b) return coroutine.yield(a.v, b.v) end
local co = coroutine.wrap(function() return one <= two, one < two end)
print(co()) print(co(true)) print(co(1))
mt.__le = function() return "le" end
print(one <= two)
--> true	false	false	true
--> true	true	false	false	false
--> 2<1 1<2 1<2 1<1 1<1 1<1 1<2.5 1.0<2 1<2
--> false	metatables/le_by_lt.lua:12: attempt to compare two table values
--> 2	1
--> 1	2
--> false	true
--> true
