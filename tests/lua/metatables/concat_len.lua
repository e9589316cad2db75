-- __concat in chains and __len as seen by operators and libraries.
local function text(x) return type(x) == "table" and x.s or tostring(x) end
local mt = {__concat = function(a, b) return setmetatable({s = "<" .. text(a) .. "|" .. text(b) .. ">"}, getmetatable(type(a) == "table" and a or b)) end}
local o = setmetatable({s = "o"}, mt)
print((o .. "x").s, ("x" .. o).s, (o .. o).s, (1 .. o).s)
print(("a" .. "b" .. o .. "c" .. "d").s)
print((o .. 1 .. 2.5 .. o).s)
print(pcall(function() return "a" .. {} end))
print(pcall(function() return {} .. "a" end))
print(pcall(function() return nil .. "a" end))
print(pcall(function() local t = {} return "a" .. t.x .. "b" end))
print(pcall(function() return "a" .. "b" .. true end))
print(pcall(function() return 1 .. print end))
local l = setmetatable({1, 2, 3}, {__len = function() return 10, "extra" end})
print(#l, rawlen(l), rawlen("abc"), pcall(rawlen, 5))
print(#setmetatable({}, {__len = function() return "not a number" end}))
print(pcall(table.concat, setmetatable({}, {__len = function() return "x" end})))
print(pcall(table.unpack, setmetatable({}, {__len = function() return 2.5 end})))
print(table.unpack(setmetatable({}, {__len = function() return 3 end, __index = function(_, i) return i * i end})))
print(table.concat(setmetatable({}, {__len = function() return 3 end, __index = function(_, i) return "v" .. i end}), ","))
print(pcall(function() return #5 end), pcall(function() return #nil end))
print(pcall(function() local f = print return #f end))
print(#"", #"abc", #"a\0b")
--> <o|x>	<x|o>	<o|o>	<1|o>
--> <a|<b|<o|cd>>>
--> <o|<1|<2.5|o>>>
--> false	metatables/concat_len.lua:8: attempt to concatenate a table value
--> false	metatables/concat_len.lua:9: attempt to concatenate a table value
--> false	metatables/concat_len.lua:10: attempt to concatenate a nil value
--> false	metatables/concat_len.lua:11: attempt to concatenate a nil value (field 'x')
--> false	metatables/concat_len.lua:12: attempt to concatenate a boolean value
--> false	metatables/concat_len.lua:13: attempt to concatenate a function value (global 'print')
--> 10	3	3	false	bad argument #1 to 'rawlen' (table or string expected, got number)
--> not a number
--> false	object length is not an integer
--> false	object length is not an integer
--> 1	4	9
--> v1,v2,v3
--> false	false	metatables/concat_len.lua:21: attempt to get length of a nil value
--> false	metatables/concat_len.lua:22: attempt to get length of a function value (local 'f')
--> 0	3	3
