-- The math library: results and their types.
local function show(...) local out = {} for i = 1, select("#", ...) do local v = select(i, ...) out[i] = v ~= v and "nan" or tostring(v) .. (math.type(v) == "integer" and "i" or "") end print(table.concat(out, " ")) end
show(math.floor(3.7), math.floor(-3.7), math.floor(5), math.floor(1e100), math.floor(-0.0), math.ceil(3.2), math.ceil(-3.2), math.ceil(5), math.ceil(1e100), math.ceil(-0.5))
show(math.abs(-5), math.abs(-5.5), math.abs(math.mininteger), math.abs(-0.0), math.max(1, 2.5, 2), math.max(2, 1), math.min(1, 1.0), math.min(1.0, 1), math.max(-math.huge, 3), math.min(5))
show(math.sqrt(16), math.sqrt(2), math.sqrt(-1), math.exp(0), math.exp(1), math.log(1), math.log(8, 2), math.log(100, 10), math.log(27, 3), math.log(0), math.log(-1), math.log(1024, 2), math.log(1000, 10))
show(math.sin(0), math.cos(0), math.tan(0), math.asin(1), math.acos(1), math.atan(1), math.atan(1, -1), math.atan(0, -1), math.atan(-0.0, -1), math.atan(1, 0), math.deg(math.pi), math.rad(180))
show(math.modf(3.7)) show(math.modf(-3.7)) show(math.modf(5)) show(math.modf(math.huge))
show(math.modf(-math.huge)) show(math.modf(0/0))
show(math.fmod(7, 3), math.fmod(-7, 3), math.fmod(7, -3), math.fmod(7.5, 2), math.fmod(-6, 2), math.fmod(5, math.huge))
show(math.tointeger(5.0), math.tointeger(2^53))
print(math.tointeger(5.5), math.tointeger("x"), math.tointeger(0/0), math.type(5), math.type(5.0), math.type("5"), math.type(nil))
print(math.pi, math.huge, -math.huge, math.maxinteger, math.mininteger)
print(math.ult(1, 2), math.ult(-1, 2), math.ult(2, -1), math.ult(0, 0))
print(pcall(math.type)) print(pcall(math.floor, nil)) print(pcall(math.max))
print(pcall(math.fmod, 1, 0))
print(math.floor("3.7"), math.sqrt("4"), pcall(math.max, "10", 9))
print(math.floor(2^31 + 0.5), math.ceil(-2^31 - 0.5), math.floor(-2^63) == math.mininteger, math.floor(2^63))
--> 3i -4i 5i 1e+100 0i 4i -3i 5i 1e+100 0i
--> 5i 5.5 -9223372036854775808i 0.0 2.5 2i 1i 1.0 3i 5i
--> 4.0 1.4142135623731 nan 1.0 2.718281828459 0.0 3.0 2.0 3.0 -inf nan 10.0 3.0
--> 0.0 1.0 0.0 1.5707963267949 0.0 0.78539816339745 2.3561944901923 3.1415926535898 -3.1415926535898 1.5707963267949 180.0 3.1415926535898
--> 3i 0.7
--> -3i -0.7
--> 5i 0.0
--> inf 0.0
--> -inf 0.0
--> nan nan
--> 1i -1i 1i 1.5 0i 5.0
--> 5i 9007199254740992i
--> nil	nil	nil	integer	float	nil	nil
--> 3.1415926535898	inf	-inf	9223372036854775807	-9223372036854775808
--> true	false	true	false
--> false	bad argument #1 to 'math.type' (value expected)
--> false	bad argument #1 to 'math.floor' (number expected, got nil)
--> false	bad argument #1 to 'math.max' (value expected)
--> false	bad argument #2 to 'math.fmod' (zero)
--> 3	2.0	false	attempt to compare string with number
--> 2147483648	-2147483648	true	9.2233720368548e+18
