-- String buffers, table.new and the walks of 5.1's table functions keep to the limits.
-- dialect: 5.1
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 40000000
-- timeout: 20 s
-- rss: 112 MiB
-- stderr: instruction limit
-- stress: skip, ends by its limits
local buffer = require "string.buffer"
local b = buffer.new(1e15):put("x")
print(pcall(function() while true do b:put(b) end end))
b = buffer.new()
print(pcall(function() while true do b:putf("%99d%99d%99d", 1, 2, 3) end end))
b = nil
print(#require "table.new"(1e15, 0), #require "table.new"(1 / 0, -1))
local deep = ("a."):rep(100000) .. "z"
print(pcall(function() module(deep) end))
print(pcall(string.rep, "x", 1e308))
local t = {}
for i = 1, 1e5 do t[i] = i end
print(table.maxn(t), table.foreachi(t, function(i) return i == 10 and "ten" or nil end))
-- A host function for each element costs too.
while true do table.foreach(t, type) table.maxn(t) end
--> false	not enough memory
--> false	not enough memory
--> 0	0
--> true
--> true	
--> 100000	ten
