-- Names and options in messages end at their first zero byte, and other bytes stay what they are.
local function fails(f, ...) print((select(2, pcall(f, ...))):gsub("[^ -~]", "?")) end
local t = {}
fails(function() return t["a\0b"].c end)
fails(function() t["a\0b"]() end)
fails(function() t["\0"]() end)
fails(function() return ("\0x") & 1 end)
fails(function() return t["\xff"].c end)
fails(collectgarbage, "co\0llect")
fails(collectgarbage, "\xff\xfe")
--> errors/zero_bytes.lua:4: attempt to index a nil value (field 'a')	0
--> errors/zero_bytes.lua:5: attempt to call a nil value (field 'a')	0
--> errors/zero_bytes.lua:6: attempt to call a nil value (field '')	0
--> errors/zero_bytes.lua:7: attempt to perform bitwise operation on a string value (constant '')	0
--> errors/zero_bytes.lua:8: attempt to index a nil value (field '?')	1
--> bad argument #1 to 'collectgarbage' (invalid option 'co')	0
--> bad argument #1 to 'collectgarbage' (invalid option '??')	2
