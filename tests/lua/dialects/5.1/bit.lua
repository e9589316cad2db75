-- LuaJIT's bit library: numbers as signed 32-bit integers.
-- dialect: 5.1
print(bit.tobit(0xffffffff), bit.tobit(2 ^ 32 + 1), bit.tobit(-2 ^ 31), bit.tobit(2 ^ 31), bit.tobit(1.5), bit.tobit(2.5), bit.tobit(-1.5), bit.tobit("0x10"))
print(bit.bnot(0), bit.bor(1, 2, 4), bit.band(0xff, 0x0f, 3), bit.bxor(0xff, 1), bit.bor(0x80000000), bit.band(-1), bit.lshift(1, 31), bit.lshift(1, 32), bit.lshift(1, 33), bit.rshift(-1, 28), bit.arshift(-256, 4), bit.arshift(0x7fffffff, 3), bit.rol(0x12345678, 4), bit.ror(0x12345678, 4), bit.bswap(0x12345678))
print(bit.tohex(255), bit.tohex(-1), bit.tohex(0xabcdef, 4), bit.tohex(0xabcdef, -6), bit.tohex(1, 0), bit.tohex(0xdeadbeef, -8))
print(pcall(function() local x = bit.band("x") end)) print(pcall(function() local x = bit.lshift(1) end)) print(pcall(function() bit.bnot() end)) print(pcall(function() bit.bor({}) end))
print(require "bit" == bit, package.loaded.bit == bit, bit.band(1e10, 0xffff), bit.lshift(1, 31) == -2 ^ 31, bit.bxor(1e9, 123456789))
--> -1	1	-2147483648	-2147483648	2	2	-2	16
--> -1	7	3	254	-2147483648	-1	-2147483648	1	2	15	-16	268435455	591751041	-2128394905	2018915346
--> 000000ff	ffffffff	cdef	ABCDEF		DEADBEEF
--> false	dialects/5.1/bit.lua:6: bad argument #1 to 'band' (number expected, got string)
--> false	dialects/5.1/bit.lua:6: bad argument #2 to 'lshift' (number expected, got no value)
--> false	dialects/5.1/bit.lua:6: bad argument #1 to 'bnot' (number expected, got no value)
--> false	dialects/5.1/bit.lua:6: bad argument #1 to 'bor' (number expected, got table)
--> true	true	58368	true	1019283221
