-- Counts and positions are C ints, arguments of one C call are looked at from the last, loops begin one step before their start.
-- dialect: 5.2
print(("abc"):sub(1, math.huge) == "", ("abc"):sub(1, 2^32), ("x"):rep(2^32 + 2), ("x"):rep(math.huge, ",") == "")
print(select(2^32 + 1, "a", "b")) print(select(-2^32 - 1, "a", "b"))
print(table.unpack({ 1, 2 }, 2^32 + 1, 2)) print(table.concat({ 1, 2 }, ",", 2^32 + 1, 2)) print(pcall(table.concat, { 1, 2 }, ",", 2^32, 2))
print(string.char(2^32 + 65), tonumber("11", 2^32 + 2), ("abc"):gsub("%w", "%0%0", 2^32 + 1)) print(("abc"):gsub("%w", "x", -1))
print(("abc"):find("b", 1e308), ("abc"):byte(1, 1e308), math.ldexp(1, 2^32 + 3), table.remove({ 7, 8 }, 2^32 + 1))
print(bit32.lshift(1, 2^32 + 3), bit32.extract(255, 2^32 + 4, 2))
print(pcall(function() math.fmod("x", {}) end)) print(pcall(function() math.pow("x", {}) end))
for i = 0.1, 1, 1e16 do print(string.format("%.17g", i)) end for i = 1, 0.1, -0.3 do io.write(string.format("%.17g ", i)) end print()
print(pcall(function() error(12) end)) print(pcall(function() error(12, 0) end)) print(pcall(coroutine.wrap(function() error(5, 0) end)))
print(xpcall(function() return 1 end, nil)) print(xpcall(function() error "x" end, nil)) print(xpcall(error, {}))
print(pcall(function() return -"abc" end)) print(pcall(function() return ("x")() end)) print(pcall(function() return "abc" + 1 end))
print(load("return 3x")) print(load("local x = 1 return 3 ..1x")) print(load("return 0xA.pp1")) print(load("x = 'abc\n'"))
print(load("\n::l::\n::l::\n\n;")) print(load("sr\n(a b"))
--> true	abc	xx	true
--> a	b
--> b
--> 1	2
--> 1,2
--> false	invalid value (nil) at index 0 in table for 'concat'
--> A	3	aabbcc	3
--> xxx	3
--> 2	nil	8	7
--> 8	3
--> false	dialects/5.2/c_numbers.lua:9: bad argument #2 to 'fmod' (number expected, got table)
--> false	dialects/5.2/c_numbers.lua:9: bad argument #1 to 'pow' (number expected, got string)
--> 0
--> 1 0.69999999999999996 0.39999999999999997 
--> false	dialects/5.2/c_numbers.lua:11: 12
--> false	12
--> false	5
--> true	1
--> false	error in error handling
--> false	error in error handling
--> false	dialects/5.2/c_numbers.lua:13: attempt to perform arithmetic on constant 'abc' (a string value)
--> false	dialects/5.2/c_numbers.lua:13: attempt to call constant 'x' (a string value)
--> false	dialects/5.2/c_numbers.lua:13: attempt to perform arithmetic on a string value
--> nil	[string "return 3x"]:1: <eof> expected near 'x'
--> nil	[string "local x = 1 return 3 ..1x"]:1: <eof> expected near 'x'
--> nil	[string "return 0xA.pp1"]:1: malformed number near '0xA.p'
--> nil	[string "x = 'abc..."]:1: unfinished string near ''abc'
--> nil	[string "..."]:3: label 'l' already defined on line 2
--> nil	[string "sr..."]:2: ')' expected (to close '(' at line 1) near 'b'
