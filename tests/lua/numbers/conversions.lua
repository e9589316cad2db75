-- tonumber, math.tointeger, and the strings arithmetic accepts.
local function show(...) print(...) end
show(tonumber("10"), tonumber("  10  "), tonumber("10a"), tonumber(""), tonumber(" "), tonumber("1 2"))
show(tonumber("0x10"), tonumber("-0x10"), tonumber("0x"), tonumber("0x1p4"), tonumber("0x.8"), tonumber("0x1.8p1"))
show(tonumber("1e1"), tonumber("1e"), tonumber("1e+"), tonumber(".5"), tonumber("5."), tonumber("."))
show(tonumber("inf"), tonumber("nan"), tonumber("1e400"), tonumber("-1e400"))
show(tonumber("9223372036854775807"), tonumber("9223372036854775808"), tonumber("-9223372036854775808"))
show(tonumber("0xffffffffffffffffff"))
show(tonumber("\t\n\v\f\r 7 \n"), tonumber("7\0"), tonumber("- 7"), tonumber("--7"), tonumber("+7"), tonumber("-7"))
show(tonumber(nil), tonumber(true), tonumber({}), tonumber(12), tonumber(1.5))
show(tonumber("ff", 16), tonumber("FF", 16), tonumber("zz", 36), tonumber("8", 8), tonumber("777", 8))
show(tonumber("1010", 2), tonumber("-1010", 2), tonumber(" 11 ", 2), tonumber("1.0", 10), tonumber("", 10))
show(tonumber("+10", 2), tonumber(" +z ", 36), tonumber("- 1", 10), tonumber("+-1", 10), tonumber("+", 10))
show(tonumber("7fffffffffffffff", 16), tonumber("ffffffffffffffff", 16), tonumber("1" .. ("0"):rep(64), 2))
show(pcall(tonumber, 10, 16)) show(pcall(tonumber, "10", 1)) show(pcall(tonumber, "10", 37)) show(pcall(tonumber))
show(math.tointeger(3.0), math.tointeger(3.5), math.tointeger("8"), math.tointeger({}), math.tointeger(2^63))
show("10" + 5, "3" * "4", "2" ^ 2, -"2", "10" / 2, "7" // 2, "7.5" // 2, "0x10" * 1, " 5 " - 0)
show(10 .. 20, 1.5 .. "", -0.0 .. "", 2^63 .. "", 1e100 .. "")
show(pcall(function() return "abc" + 1 end))
show(pcall(function() return {} + 1 end))
show(pcall(function() return "1" < 2 end))
show(math.type("1"), math.type(1), math.type(1.0), pcall(math.type))
show(string.format("%d", "10"), pcall(string.format, "%d", "10.5"), string.format("%d", 3.0))
show(("x"):rep("3"), ("abc"):sub("2", 2.0))
--> 10	10	nil	nil	nil	nil
--> 16	-16	nil	16.0	0.5	3.0
--> 10.0	nil	nil	0.5	5.0	nil
--> nil	nil	inf	-inf
--> 9223372036854775807	9.2233720368548e+18	-9223372036854775808
--> -1
--> 7	nil	nil	nil	7	-7
--> nil	nil	nil	12	1.5
--> 255	255	1295	nil	511
--> 10	-10	3	nil	nil
--> 2	35	nil	nil	nil
--> 9223372036854775807	-1	0
--> false	bad argument #1 to 'tonumber' (string expected, got number)
--> false	bad argument #2 to 'tonumber' (base out of range)
--> false	bad argument #2 to 'tonumber' (base out of range)
--> false	bad argument #1 to 'tonumber' (value expected)
--> 3	nil	8	nil	nil
--> 15	12	4.0	-2	5.0	3	3.0	16	5
--> 1020	1.5	-0.0	9.2233720368548e+18	1e+100
--> false	numbers/conversions.lua:19: attempt to add a 'string' with a 'number'
--> false	numbers/conversions.lua:20: attempt to perform arithmetic on a table value
--> false	numbers/conversions.lua:21: attempt to compare string with number
--> nil	integer	float	false	bad argument #1 to 'math.type' (value expected)
--> 10	false	3
--> xxx	b
