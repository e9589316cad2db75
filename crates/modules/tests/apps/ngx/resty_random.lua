-- resty.random.
local random = require "resty.random"
print(#random.bytes(16), #random.bytes(0), #random.bytes(5, true), #random.bytes(7.9), #random.bytes(1024 * 1024))
print(random.bytes(16) ~= random.bytes(16))
print(pcall(function() random.bytes(1024 * 1024 + 1) end))
print(pcall(function() random.bytes(-1) end))
print(pcall(function() random.bytes(0 / 0) end))
print(pcall(function() random.bytes("x") end))
local seen = {}
for _ = 1, 1000 do seen[random.number(3, 5)] = true end
print(seen[2], seen[3], seen[4], seen[5], seen[6], random.number(1), random.number(-7, -7))
local fraction = random.number()
print(fraction >= 0 and fraction < 1, fraction ~= random.number())
print(pcall(function() random.number(0) end))
print(pcall(function() random.number(2, 1) end))
print(#random.token(20), random.token(100):match("^%w+$") ~= nil, random.token(3, "x"), random.token(2, { "ab" }), random.token(2, 7))
print(pcall(function() random.token(2, "") end))
print(pcall(function() random.token(2, {}) end))
print(pcall(function() random.token(2, { {} }) end))
print(pcall(function() random.token(1024 * 1024 + 1) end))
print(pcall(function() random.token(1024, { ("x"):rep(1024 * 1024) }) end))
--> 16	0	5	7	1048576
--> true
--> false	resty_random.lua:5: bad argument #1 to 'bytes' (length out of range)
--> false	resty_random.lua:6: bad argument #1 to 'bytes' (length out of range)
--> false	resty_random.lua:7: bad argument #1 to 'bytes' (length out of range)
--> false	resty_random.lua:8: bad argument #1 to 'bytes' (number expected, got string)
--> nil	true	true	true	nil	1	-7
--> true	true
--> false	resty_random.lua:14: bad argument #1 to 'number' (interval is empty)
--> false	resty_random.lua:15: bad argument #2 to 'number' (interval is empty)
--> 20	true	xxx	abab	77
--> false	resty_random.lua:17: bad argument #2 to 'token' (nothing to choose from)
--> false	resty_random.lua:18: bad argument #2 to 'token' (nothing to choose from)
--> false	resty_random.lua:19: bad argument #2 to 'token' (list of strings expected)
--> false	resty_random.lua:20: bad argument #1 to 'token' (length out of range)
--> false	resty_random.lua:21: string longer than 16 MiB
