-- Bitwise operators: shifts past the width, negative shifts, floats with integral values, and no strings.
print(0xF0 & 0x3C, 0xF0 | 0x0F, 0xFF ~ 0x0F, ~0, ~5, ~~5)
print(1 << 4, 1 << 63, 1 << 64, 1 << 100, -1 >> 1, -1 >> 63, -1 >> 64)
print(1 << -1, 256 >> -4, 8 << -2, 1 << math.mininteger, -1 >> math.maxinteger)
print(3.0 & 1, 2^53 | 0, -1.0 ~ 0)
print(5 & 3 | 4 ~ 1, 1 | 2 & 4, 1 << 2 + 1, ~1 + 1)
local function fails(f) print(select(2, pcall(f))) end
fails(function() return 1.5 & 1 end)
fails(function() return 2^63 | 0 end)
fails(function() return "1.5" & 1 end)
fails(function() return "3" | 0 end)
fails(function() return ~"0" end)
fails(function() return "x" & 1 end)
fails(function() return {} | 1 end)
fails(function() local t = {} return 1 ~ t.x end)
fails(function() return ~{} end)
fails(function() return ~1.5 end)
fails(function() return 1 << 0/0 end)
fails(function() return math.huge >> 1 end)
fails(function() return "9223372036854775808" | 0 end)
print(0xdeadbeef >> 16 & 0xff, (0xdeadbeef << 32) >> 32 == 0xdeadbeef)
local crc = 0
for _, b in ipairs {("123456789"):byte(1, -1)} do
  crc = crc ~ b
  for _ = 1, 8 do crc = crc & 1 == 1 and crc >> 1 ~ 0xEDB88320 or crc >> 1 end
end
print(crc)
--> 48	255	240	-1	-6	5
--> 16	-9223372036854775808	0	0	9223372036854775807	1	0
--> 0	4096	2	0	0
--> 1	9007199254740992	-1
--> 5	1	8	-1
--> numbers/bitwise.lua:8: number has no integer representation
--> numbers/bitwise.lua:9: number has no integer representation
--> numbers/bitwise.lua:10: attempt to perform bitwise operation on a string value (constant '1.5')
--> numbers/bitwise.lua:11: attempt to perform bitwise operation on a string value (constant '3')
--> numbers/bitwise.lua:12: attempt to perform bitwise operation on a string value (constant '0')
--> numbers/bitwise.lua:13: attempt to perform bitwise operation on a string value (constant 'x')
--> numbers/bitwise.lua:14: attempt to perform bitwise operation on a table value
--> numbers/bitwise.lua:15: attempt to perform bitwise operation on a nil value (field 'x')
--> numbers/bitwise.lua:16: attempt to perform bitwise operation on a table value
--> numbers/bitwise.lua:17: number has no integer representation
--> numbers/bitwise.lua:18: number has no integer representation
--> numbers/bitwise.lua:19: number (field 'huge') has no integer representation
--> numbers/bitwise.lua:20: attempt to perform bitwise operation on a string value (constant '9223372036854775808')
--> 173	true
--> 771566984
