-- Without `__le`, `a <= b` is `not (b < a)`: in 5.4 as it is built by default, and in all versions before.
local calls = {}
local m = { __lt = function(a, b) calls[#calls + 1] = a.n .. "<" .. tostring(type(b) == "table" and b.n or b) return a.n < b.n end }
local function new(n) return setmetatable({ n = n }, m) end
print(new(1) <= new(2), new(2) <= new(1), new(1) >= new(2), new(3) >= new(3), not (new(1) <= new(2)))
print(table.concat(calls, " "))
if new(4) <= new(4) then print("then") else print("else") end
m.__le = function() return nil end
print(new(1) <= new(2))
m.__le, m.__lt = nil, nil
print(pcall(function() return new(1) <= new(2) end))
--> true	false	false	true	false
--> 2<1 1<2 1<2 3<3 2<1
--> then
--> false
--> false	metatables/le_by_lt.lua:11: attempt to compare two table values
