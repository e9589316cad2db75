-- Floats where integers are needed, and strings that are not numbers.
local function fails(f, ...) print((select(2, pcall(f, ...)))) end
fails(function() return 1.5 | 1 end) fails(function() return 1 & 2^64 end) fails(function() return 0/0 ~ 1 end)
fails(function() local x = 2.5; return x << 1 end) fails(function() local t = {x = 2.5} return t.x >> 1 end)
fails(string.rep, "x", 2.5) fails(string.char, 65.5) fails(("x").sub, "x", 1.5) fails(string.byte, "x", 1e100)
fails(table.concat, {}, "", 1.5) fails(table.insert, {}, 1.5, 0) fails(utf8.char, 65.5)
fails(math.random, 1.5) fails(select, 1.5)
fails(string.format, "%d", 3.5) fails(string.format, "%x", 2^63)
fails(string.format, "%c", "x") fails(string.rep, "x", 1e308)
fails(math.random, 1, 1e100) fails(table.unpack, {}, 1, 2.5) fails(string.format, "%i", "3.5")
print(string.rep("x", 2.0), string.char(65.0), table.concat({1, 2}, ",", 1.0, 2.0), ("abc"):sub(2.0), math.random(1.0, 1.0), select(2.0, "a", "b"))
print(("%d"):format(3.0), ("%d"):format("3"), pcall(string.format, "%d", "3.0"))
print(pcall(function() for i = 1, 3 do local t = setmetatable({}, {__index = function(_, k) return math.type(k) end}) if i == 3 then return t[1.0], t[1.5], t[2^53] end end end))
--> errors/integer_representation.lua:3: number has no integer representation
--> errors/integer_representation.lua:3: number has no integer representation
--> errors/integer_representation.lua:3: number has no integer representation
--> errors/integer_representation.lua:4: number (local 'x') has no integer representation
--> errors/integer_representation.lua:4: number (field 'x') has no integer representation
--> bad argument #2 to 'string.rep' (number has no integer representation)
--> bad argument #1 to 'string.char' (number has no integer representation)
--> bad argument #2 to 'string.sub' (number has no integer representation)
--> bad argument #2 to 'string.byte' (number has no integer representation)
--> bad argument #3 to 'table.concat' (number has no integer representation)
--> bad argument #2 to 'table.insert' (number has no integer representation)
--> bad argument #1 to 'utf8.char' (number has no integer representation)
--> bad argument #1 to 'math.random' (number has no integer representation)
--> bad argument #1 to 'select' (number has no integer representation)
--> bad argument #2 to 'string.format' (number has no integer representation)
--> bad argument #2 to 'string.format' (number has no integer representation)
--> bad argument #2 to 'string.format' (number expected, got string)
--> bad argument #2 to 'string.rep' (number has no integer representation)
--> bad argument #2 to 'math.random' (number has no integer representation)
--> bad argument #3 to 'table.unpack' (number has no integer representation)
--> bad argument #2 to 'string.format' (number has no integer representation)
--> xx	A	1,2	bc	1	b
--> 3	3	true	3
--> true	float	float	float
