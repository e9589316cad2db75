-- The libraries of 5.3: print by tostring, __ipairs, no warn and coroutine.close, messages.
-- dialect: 5.3
print(warn, coroutine.close, table.create, debug.setcstacklimit, bit32.band(0xFF, 0x0F), math.pow(2, 3))
print(pcall(collectgarbage, "generational"), collectgarbage("setpause", 100) > 0, collectgarbage("isrunning"))
do
  local old = tostring
  tostring = function(v) return "<" .. old(v) .. ">" end
  print(1, nil)
  tostring = function() return {} end
  local ok, message = pcall(print, 1)
  tostring = nil
  local ok2, message2 = pcall(print, 1)
  tostring = old
  print(message, message2)
end
for i, v in ipairs(setmetatable({}, {__ipairs = function(t) return function(_, i) if i < 2 then return i + 1, "v" end end, t, 0 end})) do print(i, v) end
print(select("#", ipairs{}), select("#", pairs{}), select("#", io.lines(arg and arg[0] or "x")))
print(pcall(math.random, 0), pcall(math.random, 2, 1), pcall(math.random, math.mininteger, 5))
print(select("#", math.randomseed(42)), pcall(math.randomseed))
print(pcall(utf8.char, 0x110000), pcall(utf8.codepoint, "abc", 10), pcall(utf8.len, "abc", 9), pcall(utf8.offset, "abc", 1, 9))
print(utf8.codepoint("\u{D800}"), utf8.len("\u{DFFF}"))
print(pcall(string.format, "%0100d", 1), pcall(string.format, "%y", 1), string.format("%q", 1/0))
print(pcall(string.unpack, "c0", "x", 0), pcall(string.unpack, "c0", "x", -2), string.unpack("c0", "x", 2))
print(pcall(setmetatable, {}, 1), pcall(rawlen, 5), pcall(coroutine.resume, 1), pcall(string.gsub, "x", "x", true))
package.preload.m = function(...) return {...} end
print(select("#", require "m"), #require "m")
print(pcall(function() setmetatable({}, {__gc = function() error("late") end}); collectgarbage() end))
print(debug.getlocal(1, 100), pcall(debug.upvalueid, print, 9), pcall(os.time, {}))
print(select(2, xpcall(function() return setmetatable({}, {__index = function() error("deep") end}).x end, debug.traceback)))
print(xpcall(error, function(m) if m ~= 0 then error(m - 1) end return "end" end, 150))
local ok, text = pcall(string.rep)
print(ok, text)
print(select("#", debug.gethook()), debug.gethook())
--> nil	nil	nil	nil	15	8.0
--> false	true	true
--> <1>	<nil>
--> 'tostring' must return a string to 'print'	attempt to call a nil value
--> 1	v
--> 2	v
--> 3	3	1
--> false	false	false	bad argument #1 to 'math.random' (interval too large)
--> 0	false	bad argument #1 to 'math.randomseed' (number expected, got no value)
--> false	false	false	false	bad argument #3 to 'utf8.offset' (position out of range)
--> 55296	1
--> false	false	inf
--> false	false		2
--> false	false	false	false	bad argument #3 to 'string.gsub' (string/function/table expected)
--> 1	1
--> false	error in __gc metamethod (dialects/5.3/library.lua:27: late)
--> nil	false	false	field 'day' missing in date table
--> dialects/5.3/library.lua:29: deep
--> stack traceback:
--> 	[C]: in function 'error'
--> 	dialects/5.3/library.lua:29: in metamethod '__index'
--> 	dialects/5.3/library.lua:29: in function <dialects/5.3/library.lua:29>
--> 	[C]: in function 'xpcall'
--> 	dialects/5.3/library.lua:29: in main chunk
--> 	[C]: in ?
--> false	end
--> false	bad argument #1 to 'string.rep' (string expected, got no value)
--> 3	nil		0
