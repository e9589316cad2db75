-- A constant operand before one that is a condition: neither gets into the other's way.
-- dialect: 5.1
local m = setmetatable({}, { __mod = function(a, b) return type(a) .. type(b) end, __lt = function() return true end })
local function try(f) print(pcall(f)) end
debug.setmetatable(true, { __mod = function(a, b) return tostring(a) .. tostring(b) end })
try(function() return 5 % ("a" < "b") end)
try(function() return 5 % (m == m) end)
try(function() return m % ("a" < "b") end)
try(function() return 5 % (("a" < "b") and 3 or 4) end)
debug.setmetatable(true, nil)
try(function() return 5 % ("a" < "b") end)
try(function() return "x" < ("a" < "b") end)
try(function() return "x" < (m == m) end)
try(function() return 5 <= ("a" < "b") end)
try(function() return (m == m) > 1.5 end)
try(function() return 2.5 > (m ~= m) end)
try(function() return 2.5 > (m.x or "y") end)
try(function() return "a" .. "b" < (m.x or 7) end)
try(function() return 1 == ("a" < "b"), (m < m) == 1, "x" ~= (m < m) end)
--> true	5true
--> true	5true
--> true	tableboolean
--> true	2
--> false	errors/constant_before_condition_5_1.lua:11: attempt to perform arithmetic on a boolean value
--> false	errors/constant_before_condition_5_1.lua:12: attempt to compare string with boolean
--> false	errors/constant_before_condition_5_1.lua:13: attempt to compare string with boolean
--> false	errors/constant_before_condition_5_1.lua:14: attempt to compare number with boolean
--> false	errors/constant_before_condition_5_1.lua:15: attempt to compare number with boolean
--> false	errors/constant_before_condition_5_1.lua:16: attempt to compare boolean with number
--> false	errors/constant_before_condition_5_1.lua:17: attempt to compare string with number
--> false	errors/constant_before_condition_5_1.lua:18: attempt to compare string with number
--> true	false	false	true
