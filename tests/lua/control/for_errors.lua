-- What a numeric for refuses.
local function fails(f) print(select(2, pcall(f))) end
fails(function() for i = 1, 10, 0 do end end)
fails(function() for i = 1.0, 10, 0.0 do end end)
fails(function() for i = "1", 10 do end end)
fails(function() for i = 1, "10" do end end)
fails(function() for i = 1, 10, "1" do end end)
fails(function() for i = nil, 10 do end end)
fails(function() for i = 1, {} do end end)
fails(function() for i = 1, 2, print do end end)
fails(function() for i = "x", "y", "z" do end end)
fails(function() for i = 1.5, "x" do end end)
fails(function() for k in 5 do end end)
fails(function() for k in nil do end end)
fails(function() local t = {} for k in t do end end)
fails(function() for k in pairs(nil) do end end)
fails(function() for k in ipairs() do end end)
--> control/for_errors.lua:3: 'for' step is zero
--> control/for_errors.lua:4: 'for' step is zero
-->
-->
-->
--> control/for_errors.lua:8: bad 'for' initial value (number expected, got nil)
--> control/for_errors.lua:9: bad 'for' limit (number expected, got table)
--> control/for_errors.lua:10: bad 'for' step (number expected, got function)
--> control/for_errors.lua:11: bad 'for' limit (number expected, got string)
--> control/for_errors.lua:12: bad 'for' limit (number expected, got string)
--> control/for_errors.lua:13: attempt to call a number value (for iterator 'for iterator')
--> control/for_errors.lua:14: attempt to call a nil value (for iterator 'for iterator')
--> control/for_errors.lua:15: attempt to call a table value (for iterator 'for iterator')
--> control/for_errors.lua:16: bad argument #1 to 'for iterator' (table expected, got nil)
--> control/for_errors.lua:17: bad argument #1 to 'ipairs' (value expected)
