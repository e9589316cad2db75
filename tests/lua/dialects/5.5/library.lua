-- What functions of the libraries do differently from 5.4.
-- dialect: 5.5
print(utf8.offset("aéx", 2), utf8.offset("aéx", 3), utf8.offset("aéx", 4), utf8.offset("aéx", 9))
print(utf8.offset("aéx", 0, 3), utf8.offset("aéx", -1), utf8.offset("", 1))
print(pcall(utf8.offset, "\x80", 1))
print(#table.create(10), (next(table.create(0, 5))), pcall(table.create), pcall(table.create, -1), pcall(table.create, 1, 2^31))
print(select("#", pairs{}), select("#", pairs(setmetatable({}, {__pairs = function() return 1, 2, 3, 4, 5 end}))))
print(collectgarbage("param", "pause"), collectgarbage("param", "stepmul", 123), collectgarbage("param", "stepmul"))
print(collectgarbage("param", "minormul", 70), collectgarbage("param", "minormul"), collectgarbage("param", "stepsize"))
print(pcall(collectgarbage, "param", "other"), pcall(collectgarbage, "setpause", 1), pcall(collectgarbage, "param"))
collectgarbage("generational")
print(collectgarbage("generational"), collectgarbage("incremental"), collectgarbage("incremental"))
print(type(collectgarbage("step")), type(collectgarbage("step", 10)))
print(pcall(load, "return 1", "x", "B"), pcall(string.dump, print))
print(pcall(string.rep, "x", -1), #string.rep("", 1 << 60), pcall(string.rep, "ab", 1 << 62))
print(string.packsize("c4294967296"), pcall(string.packsize, "c9223372036854775807c1"), pcall(string.packsize, "i17"))
print(math.ldexp(1, 4), math.frexp(8))
local co = coroutine.wrap(function()
  local x <close> = setmetatable({}, {__close = function() print("closing") end})
  coroutine.close()
  print("never")
end)
print(co())
co = coroutine.create(function()
  local x <close> = setmetatable({}, {__close = function() error("in close", 0) end})
  pcall(coroutine.close, coroutine.running())
end)
print(coroutine.resume(co))
print(coroutine.status(co), pcall(coroutine.close), pcall(coroutine.status))
co = coroutine.create(function() local main = coroutine.running() return coroutine.wrap(function() return pcall(coroutine.close, main) end)() end)
print(coroutine.resume(co))
local function count(...) return debug.getinfo(1, "t").extraargs, select("#", ...) end
local f = count
for i = 1, 3 do f = setmetatable({}, {__call = f}) end
print(count(1), f(1))
print((function(...) local a, b = f(...) return a, b end)(1, 2))
for i = 1, 13 do f = setmetatable({}, {__call = f}) end
print(select("#", pcall(f)), (pcall(f)))
print(pcall(setmetatable({}, {__call = string.rep}), "x"))
print((pcall(setmetatable({}, {__call = tostring}))))
print((debug.traceback("t"):gsub("\n.*", "")))
print(select(2, xpcall(function() local x = nil; x.y = 1 end, debug.traceback)))
print(select(2, xpcall(function() string.rep() end, debug.traceback)))
print(pcall(load(string.dump(function() local a; return a.b end, true))))
--> 2	4	5	nil
--> 2	4	1	1
--> false	initial position is a continuation byte
--> 0	nil	false	false	false	bad argument #2 to 'table.create' (out of range)
--> 4	4
--> 250	200	118
--> 20	68	9600
--> false	false	false	bad argument #2 to 'collectgarbage' (string expected, got no value)
--> generational	generational	incremental
--> boolean	boolean
--> false	false	bad argument #1 to 'string.dump' (Lua function expected)
--> true	0	false	resulting string too large
--> 4294967296	false	false	integral size (17) out of limits [1,16]
--> 16.0	0.5	4
--> closing
-->
--> false	in close
--> dead	false	false	bad argument #1 to 'coroutine.status' (thread expected, got no value)
--> true	false	cannot close a normal coroutine
--> 0	3	4
--> 3	5
--> 2	false
--> false	bad extra argument #1 to 'string.rep' (string expected, got table)
--> true
--> t
--> dialects/5.5/library.lua:42: attempt to index a nil value (local 'x')
--> stack traceback:
--> 	dialects/5.5/library.lua:42: in function <dialects/5.5/library.lua:42>
--> 	[C]: in global 'xpcall'
--> 	dialects/5.5/library.lua:42: in main chunk
--> 	[C]: in ?
--> dialects/5.5/library.lua:43: bad argument #1 to 'rep' (string expected, got no value)
--> stack traceback:
--> 	[C]: in field 'rep'
--> 	dialects/5.5/library.lua:43: in function <dialects/5.5/library.lua:43>
--> 	[C]: in global 'xpcall'
--> 	dialects/5.5/library.lua:43: in main chunk
--> 	[C]: in ?
--> false	?:?: attempt to index a nil value
