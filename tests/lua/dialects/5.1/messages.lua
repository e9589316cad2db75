-- Messages of 5.1 say the variable before its value.
-- dialect: 5.1
local function e(f, ...) print(select(2, pcall(f, ...))) end
local t, s, n = {}, "s", 1
e(function() return x.y end) e(function() return t.a.b end) e(function() local a return a.b end) e(function() return s.x.y end)
e(function() t.a.b = 1 end) e(function() x.y = 1 end) e(function() x() end) e(function() t.a() end) e(function() t:m() end) e(function() local a a() end) e(function() s:foo() end) e(function() t.a.b() end)
e(function() return x + 1 end) e(function() return t.a + 1 end) e(function() local a return a * 2 end) e(function() return t + 1 end) e(function() return s + 1 end) e(function() return "10" + {} end) e(function() return -t end) e(function() return -x end) e(function() return "abc" - 1 end)
e(function() return x .. "a" end) e(function() return "a" .. t end) e(function() local a return "x" .. a .. "y" end) e(function() return t.q .. "" end)
e(function() return #x end) e(function() return #n end) e(function() return #nil end)
e(function() return 1 < "2" end) e(function() return {} < {} end) e(function() return nil < 1 end) e(function() return "a" < 1 end) e(function() return t <= t end) e(function() return print < print end)
e(function() for i = "a", 2 do end end) e(function() for i = 1, {} do end end) e(function() for i = 1, 2, {} do end end) e(function() for i = "1", "2" do io.write(type(i), " ") end end) e(function() for i = 1, 10, 0 do error("once") end end)
e(function() for k in nil do end end) e(function() for k in pairs(nil) do end end) e(function() for k in 5 do end end)
e(function() string.rep() end) e(function() ("x"):rep() end) e(function() ("x"):rep({}) end) e(function() t.insert = table.insert t.insert(1, 2) end) e(function() local f = string.rep f() end) e(function() io.stdout.write() end) e(function() setmetatable(1, {}) end) e(function() s.rep() end)
e(function() t[nil] = 1 end) e(function() t[0/0] = 1 end) e(function() return t[nil] end) e(function() return t[1].x end) e(function() return t[n].x end) e(function() return t[1][2] end) e(function() t[1][2] = 3 end) e(function() return (t.x).y.z end) e(function() return ("x").y.z end) e(function() return (1).x end)
e(function() local m = setmetatable({}, {}) getmetatable(m).__index = m return m.x end) e(function() local m = setmetatable({}, {}) getmetatable(m).__newindex = m m.x = 1 end)
e(function() error("msg", 0) end) e(function() error("msg", 1) end) e(function() error("msg", 2) end) e(function() error() end) e(function() error(nil) end)
e(function() local a = setmetatable({}, {__index = function(t, k) return k.x.y end}) return a.foo end) e(function() local a = setmetatable({}, {__add = 5}) return a + 1 end)
e(function() return math.floor({}) end) e(function() return ("x"):bad() end) e(function() return #5 end) e(function() return 2^{} end) e(function() return {} % 2 end) e(function() return {}..{} end) e(function() return 1 .. {} end)
e(function() t.x.y.z = 1 end) e(function() a.b.c = 1 end) e((function() local up return function() return up.a end end)()) e((function() local up return function() up() end end)()) e((function() local up return function() return up + 1 end end)()) e((function() local up return function() up.x = 1 end end)())
--> dialects/5.1/messages.lua:5: attempt to index global 'x' (a nil value)
--> dialects/5.1/messages.lua:5: attempt to index field 'a' (a nil value)
--> dialects/5.1/messages.lua:5: attempt to index local 'a' (a nil value)
--> dialects/5.1/messages.lua:5: attempt to index field 'x' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to index field 'a' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to index global 'x' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to call global 'x' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to call field 'a' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to call method 'm' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to call local 'a' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to call method 'foo' (a nil value)
--> dialects/5.1/messages.lua:6: attempt to index field 'a' (a nil value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on global 'x' (a nil value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on field 'a' (a nil value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on local 'a' (a nil value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on upvalue 't' (a table value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on upvalue 's' (a string value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on a table value
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on upvalue 't' (a table value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on global 'x' (a nil value)
--> dialects/5.1/messages.lua:7: attempt to perform arithmetic on a string value
--> dialects/5.1/messages.lua:8: attempt to concatenate global 'x' (a nil value)
--> dialects/5.1/messages.lua:8: attempt to concatenate upvalue 't' (a table value)
--> dialects/5.1/messages.lua:8: attempt to concatenate local 'a' (a nil value)
--> dialects/5.1/messages.lua:8: attempt to concatenate field 'q' (a nil value)
--> dialects/5.1/messages.lua:9: attempt to get length of global 'x' (a nil value)
--> dialects/5.1/messages.lua:9: attempt to get length of upvalue 'n' (a number value)
--> dialects/5.1/messages.lua:9: attempt to get length of a nil value
--> dialects/5.1/messages.lua:10: attempt to compare number with string
--> dialects/5.1/messages.lua:10: attempt to compare two table values
--> dialects/5.1/messages.lua:10: attempt to compare nil with number
--> dialects/5.1/messages.lua:10: attempt to compare string with number
--> dialects/5.1/messages.lua:10: attempt to compare two table values
--> dialects/5.1/messages.lua:10: attempt to compare two function values
--> dialects/5.1/messages.lua:11: 'for' initial value must be a number
--> dialects/5.1/messages.lua:11: 'for' limit must be a number
--> dialects/5.1/messages.lua:11: 'for' step must be a number
--> number number 
-->
--> dialects/5.1/messages.lua:12: attempt to call a nil value
--> dialects/5.1/messages.lua:12: bad argument #1 to 'pairs' (table expected, got nil)
--> dialects/5.1/messages.lua:12: attempt to call a number value
--> dialects/5.1/messages.lua:13: bad argument #1 to 'rep' (string expected, got no value)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'rep' (number expected, got no value)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'rep' (number expected, got table)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'insert' (table expected, got number)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'f' (string expected, got no value)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'write' (FILE* expected, got no value)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'setmetatable' (table expected, got number)
--> dialects/5.1/messages.lua:13: bad argument #1 to 'rep' (string expected, got no value)
--> dialects/5.1/messages.lua:14: table index is nil
--> dialects/5.1/messages.lua:14: table index is NaN
--> nil
--> dialects/5.1/messages.lua:14: attempt to index field '?' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index field '?' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index field '?' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index field '?' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index field 'x' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index field 'y' (a nil value)
--> dialects/5.1/messages.lua:14: attempt to index a number value
--> dialects/5.1/messages.lua:15: loop in gettable
--> dialects/5.1/messages.lua:15: loop in settable
--> msg
--> dialects/5.1/messages.lua:16: msg
--> msg
--> nil
--> nil
--> dialects/5.1/messages.lua:17: attempt to index field 'x' (a nil value)
--> dialects/5.1/messages.lua:17: attempt to call a number value
--> dialects/5.1/messages.lua:18: bad argument #1 to 'floor' (number expected, got table)
--> dialects/5.1/messages.lua:18: attempt to call method 'bad' (a nil value)
--> dialects/5.1/messages.lua:18: attempt to get length of a number value
--> dialects/5.1/messages.lua:18: attempt to perform arithmetic on a table value
--> dialects/5.1/messages.lua:18: attempt to perform arithmetic on a table value
--> dialects/5.1/messages.lua:18: attempt to concatenate a table value
--> dialects/5.1/messages.lua:18: attempt to concatenate a table value
--> dialects/5.1/messages.lua:19: attempt to index field 'x' (a nil value)
--> dialects/5.1/messages.lua:19: attempt to index global 'a' (a nil value)
--> dialects/5.1/messages.lua:19: attempt to index upvalue 'up' (a nil value)
--> dialects/5.1/messages.lua:19: attempt to call upvalue 'up' (a nil value)
--> dialects/5.1/messages.lua:19: attempt to perform arithmetic on upvalue 'up' (a nil value)
--> dialects/5.1/messages.lua:19: attempt to index upvalue 'up' (a nil value)
