-- Integers stay integers where the language has them.
local cjson = require "cjson"
print(cjson.encode({ 1, 2.5, 9007199254740993, 3.0, -0.0 }))
local t = cjson.decode("[1, 1.0, 9007199254740993, 99999999999999999999, -0, 0x10, 1e3]")
for i = 1, #t do print(t[i], math.type(t[i])) end
print(cjson.encode({ [1] = "a", [2] = "b" }), cjson.encode({ [1.5] = "x" }), cjson.encode({ [10] = 1 }))
cjson.encode_number_precision(17)
print(cjson.encode(0.1), cjson.encode(1 / 3))
--> [1,2.5,9007199254740993,3,-0]
--> 1	integer
--> 1.0	float
--> 9007199254740993	integer
--> 1e+20	float
--> -0.0	float
--> 16.0	float
--> 1000.0	float
--> ["a","b"]	{"1.5":"x"}	[null,null,null,null,null,null,null,null,null,1]
--> 0.10000000000000001	0.33333333333333331
