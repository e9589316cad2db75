-- All numbers of 5.2 are floats, printed with fourteen digits.
-- dialect: 5.2
print(10 / 2, 3 % -2, -3 % 2, 5 % 0, 2 ^ 0.5, 7 % 2.5, 1e300 * 1e10, -1e300 * 1e10, 2 ^ 53, 2 ^ 53 + 1, 1e15, 1e14, 123456789012345, 0.1, 1 / 3, 100, 3.0, 1e100, -1e-7, 5e-324)
local zero = 0 print(-zero, 1 / -zero, 0 / zero, zero == -zero, math.floor(-0.5), 0x7fffffff + 1, 1e308 + 1e308, #"abc" / 2, #{1, 2, 3} % 2, #{} % 0)
print(tonumber("0x1p4"), tonumber("0x.8"), tonumber("1e"), tonumber("0x"), tonumber(""), tonumber("  12  "), tonumber("-0"), tonumber("-0x10"), tonumber("1 2"), tonumber("1e1"), tonumber(".5"), tonumber("5."), tonumber("0xffffffffffffffffff"), tonumber("1__"))
print(tonumber("ff", 16), tonumber("zz", 36), tonumber("8", 8), tonumber(" 11 ", 2), tonumber("7fffffffffffffff", 16), tonumber(10, 8), tonumber("1.5", 16), tonumber("", 16)) print(pcall(function() tonumber("1", 99) end)) print(pcall(function() tonumber() end))
for i = 1, 3 do io.write(i, " ") end for i = 1, 0 do io.write("never") end for i = 1, 2, 0.5 do io.write(i, " ") end for i = 3, 1, -1 do io.write(i, " ") end for i = "1", "2" do io.write(type(i), " ") end for i = 1, 10, 0 do io.write("once") break end for i = 2 ^ 53, 2 ^ 53 + 2 do io.write(i, " ") break end print()
local t = {} t[1] = "a" t[1.0] = "b" t[2 ^ 53] = "big" t[1.5] = "half" t[-0] = "zero" print(t[1], t[9007199254740992], t[1.5], t[0], #t) for k in pairs({10, 20}) do io.write(k, " ", k / 2, " ") end print(next({1}), (next({[3] = 1})) / 2)
print(math.floor(3.7), math.ceil(3.2), math.abs("-3"), math.ldexp(1, 2), math.frexp(8)) print(math.pow(2, 10), math.log10(1000), math.sqrt(2), math.pi, math.huge, -math.huge, math.fmod(-5, 3), math.fmod(5, -3), math.modf(3.7)) print(math.modf(-3)) print(math.modf(1 / 0)) print(math.atan2(1, 2), math.atan(1), math.cosh(1), math.sinh(1), math.tanh(1), math.deg(math.pi), math.rad(180), math.exp(0), math.log(1), math.max(1, "10", 9), math.min(3, 1, 2))
print(pcall(math.random, 0)) print(pcall(math.random, 2, 1)) print(pcall(math.random, 1, 2, 3)) print(pcall(math.random, -5)) print(pcall(math.randomseed)) print(pcall(math.max)) print(pcall(math.min, {})) math.randomseed(42) local a = math.random() math.randomseed(42) print(a == math.random(), a >= 0 and a < 1, select("#", math.randomseed(1))) for i = 1, 100 do local r = math.random(3) assert(r == 1 or r == 2 or r == 3) r = math.random(5, 7) assert(r >= 5 and r <= 7 and r % 1 == 0) end
print(math.type, math.tointeger, math.ult, math.maxinteger, math.mininteger, string.pack, utf8, string.format("%d", 3), string.format("%s", 2 ^ 31), 2 ^ 31 .. "", 1e15 .. "")
print(select("#", 1, 2), #{n = 1}, ("x"):len(), ("abc"):find("c"), select(-1, 1, 2), os.time{year = 2000, month = 1, day = 1, hour = 0} % 2, os.date("*t", 0).year / 2, collectgarbage("count") > 1, os.clock() >= 0)
print(0xA, 0Xa, 1e2, .5, 3., 1e+2, 0xffffffffffffffff, 3 == 3.0, 1 < 1.5, "1" == 1, 10 == "10", 1e0)

print(tonumber("inf"), tonumber("nan"), tonumber("-ff", 16), tonumber("ffffffffffffffffff", 16), pcall(function() tonumber({}, 10) end)) print(math.log(8, 2), math.log(100, 10), math.log(27, 3), math.mod, 0x.1p4, 0xA.8, 0x1P-2)
--> 5	-1	1	-nan	1.4142135623731	2	inf	-inf	9.007199254741e+15	9.007199254741e+15	1e+15	1e+14	1.2345678901234e+14	0.1	0.33333333333333	100	3	1e+100	-1e-07	4.9406564584125e-324
--> -0	-inf	-nan	true	-1	2147483648	inf	1.5	1	-nan
--> 16	0.5	nil	nil	nil	12	-0	-16	nil	10	0.5	5	4.7223664828696e+21	nil
--> 255	1295	nil	3	9.2233720368548e+18	8	nil	nil
--> false	dialects/5.2/numbers.lua:6: bad argument #2 to 'tonumber' (base out of range)
--> false	dialects/5.2/numbers.lua:6: bad argument #1 to 'tonumber' (value expected)
--> 1 2 3 1 1.5 2 3 2 1 number number 9.007199254741e+15 
--> b	big	half	zero	1
--> 1 0.5 2 1 1	1.5
--> 3	4	3	4	0.5	4
--> 1024	3	1.4142135623731	3.1415926535898	inf	-inf	-2	2	3	0.7
--> -3	-0
--> inf	0
--> 0.46364760900081	0.78539816339745	1.5430806348152	1.1752011936438	0.76159415595576	180	3.1415926535898	1	0	10	1
--> false	bad argument #1 to 'math.random' (interval is empty)
--> false	bad argument #2 to 'math.random' (interval is empty)
--> false	wrong number of arguments
--> false	bad argument #1 to 'math.random' (interval is empty)
--> false	bad argument #1 to 'math.randomseed' (number expected, got no value)
--> false	bad argument #1 to 'math.max' (number expected, got no value)
--> false	bad argument #1 to 'math.min' (number expected, got table)
--> true	true	0
--> nil	nil	nil	nil	nil	nil	nil	3	2147483648	2147483648	1e+15
--> 2	0	1	3	2	0	985	true	true
--> 10	10	100	0.5	3	100	1.844674407371e+19	true	true	false	false	1
--> nil	nil	-255	4.7223664828696e+21	false	dialects/5.2/numbers.lua:15: bad argument #1 to 'tonumber' (string expected, got table)
--> 3	2	3	nil	1	10.5	0.25
