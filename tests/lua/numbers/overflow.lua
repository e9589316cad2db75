-- Integer arithmetic wraps around; there is no overflow error.
local max, min = math.maxinteger, math.mininteger
print(max + 1 == min, min - 1 == max, max * 2, min * 2, min * -1 == min, -min == min)
print(max * max, max * min, min * min)
print(min // -1, min % -1, min // 1, min % 1, max // -1)
print(math.abs(min), math.abs(max), math.abs(-5))
print(max + 1.0 == 2^63, min + 0.0 == -2^63)
print(1 << 63, 1 << 62, (1 << 63) - 1 == max)
print(0x7fffffffffffffff + 1, 0xffffffffffffffff)
print(tostring(min), tostring(max), min | 0)
print(math.ult(max, min), math.ult(-1, 1), math.ult(1, -1))
print(5000000000 * 5000000000, 3037000500 * 3037000500)
local x = 1
for _ = 1, 70 do x = x * 3 end
print(x)
print(tostring(-9223372036854775807 - 1), -9223372036854775808)
--> true	true	-2	0	true	true
--> 1	-9223372036854775808	0
--> -9223372036854775808	0	-9223372036854775808	0	-9223372036854775807
--> -9223372036854775808	9223372036854775807	5
--> true	true
--> -9223372036854775808	4611686018427387904	true
--> -9223372036854775808	-1
--> -9223372036854775808	9223372036854775807	-9223372036854775808
--> true	false	true
--> 6553255926290448384	-9223372036709301616
--> 2293070008301402073
--> -9223372036854775808	-9.2233720368548e+18
