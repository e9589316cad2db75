-- Integer loops that wrap around end where the reference's do; floats begin one step before their start; old messages.
-- dialect: 5.3
for i = 3, 4, math.maxinteger do print(i) end
local n = 0 for i = 1, math.maxinteger - 1, math.maxinteger // 3 do n = n + 1 if n > 99 then break end end print(n)
n = 0 for i = -3, -5, math.mininteger + 1 do n = n + 1 if n > 99 then break end end print(n)
n = 0 for i = math.maxinteger - 1, math.maxinteger do n = n + 1 if n > 9 then break end end print(n)
n = 0 for i = 1, 10, 3 do n = n + 1 end for i = 10, 1, -3 do n = n + 1 end for i = 5, 5, 7 do n = n + 1 end print(n)
for i = 0.1, 1, 1e16 do print(string.format("%.17g", i)) end for i = 1, 0.1, -0.3 do io.write(string.format("%.17g ", i)) end print()
print(pcall(table.concat, {}, ",", math.mininteger + 84, 90))
print(string.unpack("z", "abc")) print(pcall(string.unpack, "zz", "abc")) print(string.unpack("z", "ab\0c"))
print(pcall(function() return -"abc" end)) print(pcall(function() return "abc" + 1 end)) print(pcall(function() return ~"x" end))
print(load("return 3x")) print(load("return 0xA.pp1")) print(load("\n::l::\n::l::\n\n;")) print(load("sr\n(a b"))
do
  local loop = setmetatable({}, {})
  getmetatable(loop).__index, getmetatable(loop).__newindex = loop, loop
  print(pcall(function() return loop.x end))
  print(pcall(function() loop.x = 1 end))
end
--> 3
--> -9223372036854775806
--> 1
--> -9223372036854775808
--> -1
--> 3
--> 3
--> 10
--> 9
--> 0
--> 1 0.69999999999999996 0.39999999999999997 
--> false	invalid value (nil) at index 84 in table for 'concat'
--> abc	5
--> false	bad argument #2 to 'string.unpack' (data string too short)
--> ab	4
--> false	dialects/5.3/loops_and_messages.lua:11: attempt to perform arithmetic on a string value (constant 'abc')
--> false	dialects/5.3/loops_and_messages.lua:11: attempt to perform arithmetic on a string value
--> false	dialects/5.3/loops_and_messages.lua:11: attempt to perform bitwise operation on a string value (constant 'x')
--> nil	[string "return 3x"]:1: <eof> expected near 'x'
--> nil	[string "return 0xA.pp1"]:1: malformed number near '0xA.p'
--> nil	[string "..."]:3: label 'l' already defined on line 2
--> nil	[string "sr..."]:2: ')' expected (to close '(' at line 1) near 'b'
--> false	dialects/5.3/loops_and_messages.lua:16: '__index' chain too long; possible loop
--> false	dialects/5.3/loops_and_messages.lua:17: '__newindex' chain too long; possible loop
