-- How numbers print: %.14g for floats, with ".0" where they would look like integers.
print(1e15, 1e14, 123456789012345.0, 1e16, 12345678901234567890.0)
print(0.1, 0.1 + 0.2, 1/3, 2/3, 100 / 3, 1e-5, 1e-4, 123e-7)
print(3.14159265358979, 1e300, 1e-300, 5e-324, 1.7976931348623157e308)
print(1.0, -1.0, 0.0, -0.0, 100.0, 1e2, 2^31, 2^53, 2^63, -2^63)
print(math.huge, -math.huge, math.pi, -math.pi)
print(tostring(0/0):gsub("-", ""))
print(255, -255, 0x7fffffff, math.mininteger)
print(tostring(12), tostring(-0.5), tostring(1e100))
print(#tostring(print) > 10, tostring(print):match("^builtin") or tostring(print):match("^function"))
print(tostring(nil), tostring(true), tostring("str"), pcall(tostring))
print(3 .. "", 3.0 .. "", -3.5 .. "|")
print(1e15 // 1, 2^24, 16777217.0, 99999999999999.9, 999999999999999.9)
--> 1e+15	1e+14	1.2345678901234e+14	1e+16	1.2345678901235e+19
--> 0.1	0.3	0.33333333333333	0.66666666666667	33.333333333333	1e-05	0.0001	1.23e-05
--> 3.1415926535898	1e+300	1e-300	4.9406564584125e-324	1.7976931348623e+308
--> 1.0	-1.0	0.0	-0.0	100.0	100.0	2147483648.0	9.007199254741e+15	9.2233720368548e+18	-9.2233720368548e+18
--> inf	-inf	3.1415926535898	-3.1415926535898
--> nan	1
--> 255	-255	2147483647	-9223372036854775808
--> 12	-0.5	1e+100
--> true	function
--> nil	true	str	false	bad argument #1 to 'tostring' (value expected)
--> 3	3.0	-3.5|
--> 1e+15	16777216.0	16777217.0	1e+14	1e+15
