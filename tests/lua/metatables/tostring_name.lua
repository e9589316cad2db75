-- __tostring, __name and __metatable.
print(tostring(setmetatable({}, {__tostring = function() return "I am an object" end})))
print(setmetatable({}, {__tostring = function(self) return "printed" end}))
print(pcall(tostring, setmetatable({}, {__tostring = function() return 1 end})))
print(pcall(tostring, setmetatable({}, {__tostring = function() return {} end})))
print(pcall(tostring, setmetatable({}, {__tostring = function() error("refused", 0) end})))
print((tostring(setmetatable({}, {__name = "My.Type"})):gsub("0x%x+", "ADDR"):gsub(": %x+$", ": ADDR")))
print((tostring(setmetatable({}, {__name = 5})):gsub(": .*", ": ADDR")))
print(pcall(string.rep, setmetatable({}, {__name = "My.Type"})))
print(pcall(function() return setmetatable({}, {__name = "My.Type"}) + 1 end))
print(pcall(function() return setmetatable({}, {__name = "My.Type"}) < 1 end))
print(pcall(function() return setmetatable({}, {__name = "My.Type"}) .. "x" end))
print(pcall(ipairs))
print(string.format("%s|%10s", setmetatable({}, {__tostring = function() return "fmt" end}), setmetatable({}, {__tostring = function() return "wide" end})))
local guarded = setmetatable({}, {__metatable = "locked"})
print(getmetatable(guarded), pcall(setmetatable, guarded, {}))
print(getmetatable(setmetatable({}, {__metatable = false})))
print(getmetatable("x").__name, getmetatable("x").__index == string)
print(pcall(setmetatable, 1, {}), pcall(setmetatable, {}, 1), pcall(setmetatable, {}))
print(getmetatable({}), getmetatable(1), getmetatable(print), pcall(getmetatable))
print(type(setmetatable({}, nil)))
--> I am an object
--> printed
--> true	1
--> false	'__tostring' must return a string
--> false	refused
--> My.Type: ADDR
--> table: ADDR
--> false	bad argument #1 to 'string.rep' (string expected, got My.Type)
--> false	metatables/tostring_name.lua:10: attempt to perform arithmetic on a My.Type value
--> false	metatables/tostring_name.lua:11: attempt to compare My.Type with number
--> false	metatables/tostring_name.lua:12: attempt to concatenate a My.Type value
--> false	bad argument #1 to 'ipairs' (value expected)
--> fmt|      wide
--> locked	false	cannot change a protected metatable
--> false
--> nil	true
--> false	false	false	bad argument #2 to 'setmetatable' (nil or table expected, got no value)
--> nil	nil	nil	false	bad argument #1 to 'getmetatable' (value expected)
--> table
