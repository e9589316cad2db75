-- debug.getinfo: every field, by level and by function.
local function f(a, b, ...) local i = debug.getinfo(1, "nSlutf") return i end
local i = f(1)
print(i.name, i.namewhat, i.what, i.short_src, i.source, i.linedefined, i.lastlinedefined, i.currentline, i.nups >= 0, i.nparams, i.isvararg, i.istailcall, i.func == f)
i = debug.getinfo(print)
print(i.what, i.short_src, i.source, i.currentline, i.linedefined, i.nparams, i.isvararg, i.func == print, i.name)
i = debug.getinfo(1)
print(i.what, i.name, i.namewhat, i.linedefined, i.lastlinedefined, i.isvararg, i.nparams, i.currentline)
print(debug.getinfo(100), pcall(debug.getinfo, -1))
print(debug.getinfo(0, "n").name, debug.getinfo(0, "S").what)
local lines = {}
for l in pairs(debug.getinfo(f, "L").activelines) do lines[#lines + 1] = l end table.sort(lines)
print(table.concat(lines, " ")) print(next(debug.getinfo(print, "L")))
i = debug.getinfo(load("return 1", "=chunk")) print(i.what, i.source, i.short_src, i.nups)
i = debug.getinfo(load("return 1\n--x")) print(i.source, i.short_src)
local function tail() return debug.getinfo(1, "t").istailcall end
print(tail(), (function() return tail() end)())
local t = setmetatable({}, {__index = function() local d = debug.getinfo(1, "n") return d.name .. "/" .. d.namewhat end, __add = function() local d = debug.getinfo(1, "n") return d.name .. "/" .. d.namewhat end})
print(t.x, t + 1)
for x in function(_, c) if not c then local d = debug.getinfo(1, "n") return d.name .. "/" .. d.namewhat end end do print(x) end
local co = coroutine.create(function(x) local y = 2 coroutine.yield() end)
coroutine.resume(co, 1)
print(debug.getinfo(co, 0, "n").name, debug.getinfo(co, 1, "l").currentline, debug.getinfo(co, 2), debug.getinfo(co, 0, "S").what)
print(pcall(debug.getinfo, 1, "?")) print(pcall(debug.getinfo, 1, ">S"))
print(pcall(debug.getinfo, {})) local function nop() end
local o = {m = function() return debug.getinfo(1, "n") end} local d = o.m()
print(d.name, d.namewhat) d = o:m() print(d.name, d.namewhat)
function globalf() return debug.getinfo(1, "n") end d = globalf()
print(d.name, d.namewhat)
--> f	local	Lua	debug/getinfo.lua	@debug/getinfo.lua	2	2	2	true	2	true	false	true
--> C	[C]	=[C]	-1	-1	0	true	true	nil
--> main	nil		0	0	true	0	7
--> nil	true	nil
--> getinfo	C
--> 2
--> nil
--> main	=chunk	chunk	1
--> return 1
--> --x	[string "return 1..."]
--> false	true
--> index/metamethod	add/metamethod
--> for iterator/for iterator
--> yield	21	nil	C
--> false	bad argument #2 to 'debug.getinfo' (invalid option)
--> false	bad argument #2 to 'debug.getinfo' (invalid option '>')
--> false	bad argument #1 to 'debug.getinfo' (number expected, got table)
--> m	field
--> m	method
--> globalf	global
