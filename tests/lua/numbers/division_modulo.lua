-- Floor division and modulo, with every combination of signs, infinities and zeros.
for _, a in ipairs {7, -7, 6, 0} do
  for _, b in ipairs {3, -3, 1, -1} do
    print(a, b, a // b, a % b, a / b, (a + 0.0) // b, a % (b + 0.0))
  end
end
local inf, nan = math.huge, 0/0
local function number(x) return x ~= x and "nan" or tostring(x) end
print(number(1 // 0.0), number(-1 // 0.0), number(0.0 // 0.0), number(1 % 0.0))
print(number(5 % inf), number(-5 % inf), number(5 % -inf), number(-5 % -inf), number(inf % 5))
print(number(5 // inf), number(-5 // inf), number(inf // 5))
print(5.5 // 2, -5.5 // 2, 5.5 % 2, -5.5 % 2, 5.5 % -2, -5.5 % -2)
print(0.0 % 5, -0.0 % 5, -6.0 % 3, 6.0 % -3)
print(1e308 % 3, 5.3 % 1e308)
print(pcall(function() return 1 // 0 end))
print(pcall(function() return 1 % 0 end))
local zero = 0
print(pcall(function() return 1 // zero end))
print(pcall(function() return zero % zero end))
print(number(1 / 0), number(-1 / 0), number(0 / 0), number(1 / -0.0))
print(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(-7, -3), math.fmod(7, 3.0))
print(math.fmod(math.mininteger, -1), pcall(math.fmod, 1, 0))
print(number(math.fmod(1, 0.0)), math.fmod(5, inf))
--> 7	3	2	1	2.3333333333333	2.0	1.0
--> 7	-3	-3	-2	-2.3333333333333	-3.0	-2.0
--> 7	1	7	0	7.0	7.0	0.0
--> 7	-1	-7	0	-7.0	-7.0	0.0
--> -7	3	-3	2	-2.3333333333333	-3.0	2.0
--> -7	-3	2	-1	2.3333333333333	2.0	-1.0
--> -7	1	-7	0	-7.0	-7.0	-0.0
--> -7	-1	7	0	7.0	7.0	-0.0
--> 6	3	2	0	2.0	2.0	0.0
--> 6	-3	-2	0	-2.0	-2.0	0.0
--> 6	1	6	0	6.0	6.0	0.0
--> 6	-1	-6	0	-6.0	-6.0	0.0
--> 0	3	0	0	0.0	0.0	0.0
--> 0	-3	0	0	-0.0	-0.0	0.0
--> 0	1	0	0	0.0	0.0	0.0
--> 0	-1	0	0	-0.0	-0.0	0.0
--> inf	-inf	nan	nan
--> 5.0	inf	-inf	-5.0	nan
--> 0.0	-0.0	inf
--> 2.0	-3.0	1.5	0.5	-0.5	-1.5
--> 0.0	-0.0	-0.0	0.0
--> 2.0	5.3
--> false	numbers/division_modulo.lua:15: attempt to divide by zero
--> false	numbers/division_modulo.lua:16: attempt to perform 'n%0'
--> false	numbers/division_modulo.lua:18: attempt to divide by zero
--> false	numbers/division_modulo.lua:19: attempt to perform 'n%0'
--> inf	-inf	nan	-inf
--> 1	-1	1	-1	1.0
--> 0	false	bad argument #2 to 'math.fmod' (zero)
--> nan	5.0
