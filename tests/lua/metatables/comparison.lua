-- __eq, __lt, __le: when they are tried, operand order, and results as booleans.
local mt = {}
mt.__eq = function(a, b) io.write("eq ") return a.v == b.v end
mt.__lt = function(a, b) io.write("lt ") return (type(a) == "table" and a.v or a) < (type(b) == "table" and b.v or b) end
mt.__le = function(a, b) io.write("le ") return (type(a) == "table" and a.v or a) <= (type(b) == "table" and b.v or b) and "truthy" end
local function new(v) return setmetatable({v = v}, mt) end
local one, uno, two = new(1), new(1), new(2)
print(one == uno, one == two, one ~= uno, one == one)
print(one < two, two < one, one <= uno, two <= one)
print(one > two, two > one, one >= uno, one >= two)
print(one < 5, 0 < one, one <= 1, 2 >= one, one > 0, 1.5 > one)
print(one == 1, 1 == one, one == "1", one == nil)
print(rawequal(one, uno), rawequal(one, one))
-- __eq is tried for two tables even if only the second has it.
local plain = {v = 1}
print(plain == one, one == plain)
-- Results are converted.
local weird = setmetatable({}, {__eq = function() return nil end, __lt = function() return 1 end, __le = function() return nil end})
print(weird == setmetatable({}, getmetatable(weird)), weird < weird, weird <= weird, weird ~= {})
-- In conditions, with both branches.
if one < two then print("less") else print("not less") end
if not (one == two) then print("different") end
while two <= one do print("never") end
print(pcall(function() return {} < {} end))
print(pcall(function() return {} < 1 end))
print(pcall(function() return 1 <= "1" end))
print(pcall(function() return nil > 1 end))
print(pcall(function() return print < print end))
print(pcall(function() return 2 < {} end))
print(pcall(function() return {} >= 2 end))
table.sort({new(3), new(1), new(2)})
print()
local sorted = {new(3), new(1), new(2)}
table.sort(sorted) print()
print(sorted[1].v, sorted[2].v, sorted[3].v)
--> eq eq eq true	false	false	true
--> lt lt le le true	false	true	false
--> lt lt le le false	true	true	false
--> lt lt le le lt lt true	true	true	true	true	true
--> false	false	false	false
--> false	true
--> eq eq true	true
--> false	true	false	true
--> lt less
--> eq different
--> le false	metatables/comparison.lua:24: attempt to compare two table values
--> false	metatables/comparison.lua:25: attempt to compare table with number
--> false	metatables/comparison.lua:26: attempt to compare number with string
--> false	metatables/comparison.lua:27: attempt to compare number with nil
--> false	metatables/comparison.lua:28: attempt to compare two function values
--> false	metatables/comparison.lua:29: attempt to compare number with table
--> false	metatables/comparison.lua:30: attempt to compare number with table
--> lt lt 
--> lt lt 
--> 1	2	3
