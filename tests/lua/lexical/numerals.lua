-- Every way to write a number, and which of them are integers.
local function show(x) print(x, math.type(x)) end
show(3) show(345) show(0xff) show(0xBEBADA) show(0Xa)
show(3.0) show(3.1416) show(314.16e-2) show(0.31416E1) show(34e1) show(.5) show(5.)
show(0x0.1E) show(0xA23p-4) show(0X1.921FB54442D18P+1) show(0x.8) show(0x8.) show(0x1p4)
show(9223372036854775807)
show(9223372036854775808)      -- does not fit: becomes a float
show(-9223372036854775808)     -- the minus is an operator on a float
show(0xffffffffffffffff)       -- hexadecimal wraps around
show(0x1ffffffffffffffff)
show(1e308 * 10) show(-1e308 * 10)
show(1e-320)
show(123456789012345678901234567890)
show(1e2) show(1E+2) show(1e-2)
show(0) show(-0) show(0.0) show(-0.0)
--> 3	integer
--> 345	integer
--> 255	integer
--> 12499674	integer
--> 10	integer
--> 3.0	float
--> 3.1416	float
--> 3.1416	float
--> 3.1416	float
--> 340.0	float
--> 0.5	float
--> 5.0	float
--> 0.1171875	float
--> 162.1875	float
--> 3.1415926535898	float
--> 0.5	float
--> 8.0	float
--> 16.0	float
--> 9223372036854775807	integer
--> 9.2233720368548e+18	float
--> -9.2233720368548e+18	float
--> -1	integer
--> -1	integer
--> inf	float
--> -inf	float
--> 9.9998886718268e-321	float
--> 1.2345678901235e+29	float
--> 100.0	float
--> 100.0	float
--> 0.01	float
--> 0	integer
--> 0	integer
--> 0.0	float
--> -0.0	float
