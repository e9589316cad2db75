-- Counts and positions are C ints, arguments of one C call are looked at from the last, loops begin one step before their start.
-- dialect: 5.1
print(("abc"):sub(1, math.huge) == "", ("abc"):sub(1, 2^32), ("x"):rep(2^32 + 2), ("x"):rep(math.huge) == "")
print(select(2^32 + 1, "a", "b")) print(select(-2^32 - 1, "a", "b")) print(pcall(select, 2^32, "a"))
print(unpack({ 1, 2 }, 2^32 + 1, 2)) print(table.concat({ 1, 2 }, ",", 2^32 + 1, 2)) print(pcall(table.concat, { 1, 2 }, ",", 2^32, 2))
print(string.char(2^32 + 65), tonumber("11", 2^32 + 2), ("abc"):gsub("%w", "%0%0", 2^32 + 1)) print(("abc"):gsub("%w", "x", -1))
print(("abc"):find("b", 1e308), ("abc"):byte(1, 1e308), math.ldexp(1, 2^32 + 3), table.remove({ 7, 8 }, 2^32 + 1))
for _, f in ipairs { math.fmod, math.mod, math.pow, math.atan2, math.ldexp } do print(pcall(f, "x", {})) end
for i = 0.1, 1, 1e16 do print(string.format("%.17g", i)) end for i = 1, 0.1, -0.3 do io.write(string.format("%.17g ", i)) end print()
for i = 2^53, 4, 1e308 do print(i) if i == 0 then break end end
print(pcall(error, 12)) print(pcall(function() error(12) end)) print(pcall(function() error(12, 0) end))
print(pcall(coroutine.wrap(function() error(5, 0) end)))
print(xpcall(function() return 1 end, nil)) print(xpcall(function() error "x" end, nil)) print(xpcall(error, {})) print(pcall(xpcall, error))
--> true	abc	xx	true
--> a	b
--> b
--> false	bad argument #1 to '?' (index out of range)
--> 1	2
--> 1,2
--> false	invalid value (nil) at index 0 in table for 'concat'
--> A	3	aabc	1
--> abc	0
--> 2	nil	8	7
--> false	bad argument #2 to '?' (number expected, got table)
--> false	bad argument #2 to '?' (number expected, got table)
--> false	bad argument #2 to '?' (number expected, got table)
--> false	bad argument #2 to '?' (number expected, got table)
--> false	bad argument #2 to '?' (number expected, got table)
--> 0
--> 1 0.69999999999999996 0.39999999999999997 
--> 0
--> false	12
--> false	dialects/5.1/c_numbers.lua:11: 12
--> false	12
--> false	5
--> true	1
--> false	error in error handling
--> false	error in error handling
--> false	bad argument #2 to '?' (value expected)
