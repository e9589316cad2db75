-- The language of 5.3: loops that wrap around, labels by block, messages, strings in arithmetic.
-- dialect: 5.3
local function check(text)
  local f, message = load(text, "=c")
  if not f then print(message) return end
  print(pcall(f))
end
local n = 0
for i = math.maxinteger - 1, math.maxinteger do n = n + 1; if n > 3 then break end io.write(i, " ") end
for i = 3, 1 do n = 0 end
for i = 1, 3, 0 do print "never" end
for i = 3, 1, 0 do io.write(i, "\n") break end
for i = "1", 2 do io.write(i, " ") end
for i = 1, "2" do io.write(i, " ") end
for i = 1.0, 2 do io.write(i, "\n") end
check "for i = {}, 1 do end"
check "for i = 1, {} do end"
check "for i = 1, 2, {} do end"
check "local x <const> = 1"
check "break"
check "do goto l; ::l:: end ::l:: goto l2; do ::l2:: end ::l2:: return 'labels'"
check "::a:: do ::a:: end ::a::"
check "goto a; local x; ::a:: print(x)"
check "return '10' + 1, '0x10' * 2, 10 .. '', '3' // 2, '7' & 3, -'2'"
check "return 'a' + 1"
check "local s = 'a'; return s + 1"
check "return {} + 1"
check "return 2.5 | 1"
check "return '2.5' | 1"
check "return 'x' | 1"
check "return 1 < 'x'"
check "return ({})[1].x"
check "local t = {}; t.x.y = 1"
check "return #nil"
print(load(("("):rep(300), "=c"))
print(_VERSION, 2^53, 1e15, -0.0, 3 // 0.0, 1e100)
--> 9223372036854775806 9223372036854775807 -9223372036854775808 3
--> 1 2 1 2 1
--> 2
--> false	c:1: 'for' initial value must be a number
--> false	c:1: 'for' limit must be a number
--> false	c:1: 'for' step must be a number
--> c:1: unexpected symbol near '<'
--> c:1: <break> at line 1 not inside a loop
--> true	labels
--> c:1: label 'a' already defined on line 1
--> c:1: <goto a> at line 1 jumps into the scope of local 'x'
--> true	11.0	32.0	10	1.0	3	-2.0
--> false	c:1: attempt to perform arithmetic on a string value
--> false	c:1: attempt to perform arithmetic on a string value (local 's')
--> false	c:1: attempt to perform arithmetic on a table value
--> false	c:1: number has no integer representation
--> false	c:1: number has no integer representation
--> false	c:1: attempt to perform bitwise operation on a string value
--> false	c:1: attempt to compare number with string
--> false	c:1: attempt to index a nil value (field '?')
--> false	c:1: attempt to index a nil value (field 'x')
--> false	c:1: attempt to get length of a nil value
--> nil	c:1: too many C levels (limit is 200) in main function near '('
--> Lua 5.3	9.007199254741e+15	1e+15	-0.0	inf	1e+100
