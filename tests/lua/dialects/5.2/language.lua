-- What 5.2 brought: _ENV, bit32, goto, and metamethods for length, traversal and dying tables.
-- dialect: 5.2
print(_VERSION, load == loadstring, unpack == table.unpack, package.loaders == package.searchers, #package.searchers, math.log10(100), string.gfind, table.getn, setfenv, math.mod, gcinfo, newproxy, table.maxn{1, 2}, utf8, coroutine.isyieldable, table.move)
print(_VERSION, load == loadstring, unpack == table.unpack, package.loaders == package.searchers, #package.searchers, math.log10(100), string.gfind, table.getn, setfenv, math.mod, gcinfo, newproxy, table.maxn{1,2}, utf8, coroutine.isyieldable, table.move)
print(bit32.band(), bit32.bor(), bit32.bxor(), bit32.btest(), bit32.band(0xff, 0x0f), bit32.bnot(0), bit32.lshift(1, 31), bit32.lshift(1, 32), bit32.lshift(1, -1), bit32.rshift(256, 4), bit32.rshift(1, -4), bit32.arshift(-8, 1), bit32.arshift(0x80000000, 31), bit32.arshift(0x80000000, 40), bit32.arshift(1, -3), bit32.lrotate(0x80000001, 1), bit32.rrotate(1, 1), bit32.lrotate(1, 33), bit32.lrotate(1, -1), bit32.extract(0xABCD, 4, 8), bit32.extract(0xABCD, 4), bit32.replace(0, 0xF, 4, 4), bit32.replace(0xFFFFFFFF, 0, 31))
print(bit32.band(-1), bit32.band(2^32), bit32.band(2^33 + 5), bit32.band(1.5), bit32.band(2.5), bit32.band(-1.5), bit32.bnot("5"), bit32.btest(1, 2), bit32.btest(3, 2)) print(pcall(bit32.extract, 1, -1)) print(pcall(bit32.extract, 1, 0, 0)) print(pcall(bit32.extract, 1, 30, 5)) print(pcall(bit32.band, {})) print(pcall(bit32.bnot)) print(pcall(bit32.lshift, 1)) print(pcall(bit32.replace, 1, 2)) print(require "bit32" == bit32)
do local _ENV = {print = print} x = 1 print(x, _ENV.x, _G) end local function env(_ENV) return y end print(env{y = 2}) print(load("return x", "n", "t", {x = "env"})()) print(load("return 1", "n", "b")) print(load(string.dump(function() return 1 end), "n", "t")) print(type(load(function() return nil end))) print(load("return _ENV.z", nil, nil, {z = 3})())
print(#setmetatable({}, {__len = function() return 9 end}), pcall(function() return #setmetatable({}, {__len = function() return "x" end}) end)) for k, v in pairs(setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, "p" end end, t, nil end})) do print(k, v) end for i, v in ipairs(setmetatable({}, {__ipairs = function(t) return function(_, k) if k < 2 then return k + 1, "ip" end end, t, 0 end})) do print(i, v) end for i, v in ipairs(setmetatable({1}, {__index = function(t, k) if k < 4 then return k end end})) do print(i, v) end
print(rawlen({1, 2}), rawlen("abc"), pcall(function() rawlen(5) end)) print(table.pack(1, nil, 3).n, table.unpack({1, 2, 3}, 2)) print(xpcall(function(...) return select("#", ...), ... end, print, 1, nil)) print(("x"):rep(3, ","), ("abc"):rep(0, ","), string.format("%q", 1/3)) print(math.log(8, 2), math.log(100, 10), math.log(27, 3)) print(select(-1, 1, 2))
local t = setmetatable({}, {__gc = function() print("gc table") end}) t = nil collectgarbage() local e = setmetatable({}, {__mode = "k"}) do local k = {} e[k] = {k} end collectgarbage() print(next(e)) print(collectgarbage("isrunning"), collectgarbage("generational"), collectgarbage("incremental"))
local f = load "goto l; local a ::l:: ; ; " print(f ~= nil) print(select(2, load "goto l; local a ::l:: print(a)")) for i = 1, 2 do local x if i == 1 then goto cont end x = 1 ::cont:: end do goto e; local x; ::e:: end print(select(2, load "::a:: goto a; ::a::")) print(load "do ::a:: end goto a") print(load "repeat goto c; local z ::c:: until z")
 local a, b = 1, 2 a = a local function f1() return a end local function f2() return b end b = b print(debug.upvalueid(f1, 1) ~= debug.upvalueid(f2, 1)) print(debug.getuservalue(io.stdout), pcall(debug.setuservalue, 1, {})) print(debug.getinfo(1, "t").istailcall, debug.getinfo(f1, "u").nparams, debug.getinfo(f1, "u").isvararg) print(debug.getlocal(function(a, b, ...) end, 2))
module("m52", package.seeall) z = 1 print(_NAME, m52.z, package.loaded.m52 == m52)
--> Lua 5.2	true	true	true	4	2	nil	nil	nil	nil	nil	nil	2	nil	nil	nil
--> Lua 5.2	true	true	true	4	2	nil	nil	nil	nil	nil	nil	2	nil	nil	nil
--> 4294967295	0	0	true	15	4294967295	2147483648	0	0	16	16	4294967292	4294967295	4294967295	8	3	2147483648	2	2147483648	188	0	240	2147483647
--> 4294967295	0	5	2	2	4294967294	4294967290	false	true
--> false	bad argument #2 to 'bit32.extract' (field cannot be negative)
--> false	bad argument #3 to 'bit32.extract' (width must be positive)
--> false	trying to access non-existent bits
--> false	bad argument #1 to 'bit32.band' (number expected, got table)
--> false	bad argument #1 to 'bit32.bnot' (number expected, got no value)
--> false	bad argument #2 to 'bit32.lshift' (number expected, got no value)
--> false	bad argument #3 to 'bit32.replace' (number expected, got no value)
--> true
--> 1	1	nil
--> 2
--> env
--> nil	attempt to load a text chunk (mode is 'b')
--> nil	attempt to load a binary chunk (mode is 't')
--> function
--> 3
--> 9	true	x
--> 1	p
--> 1	ip
--> 2	ip
--> 1	1
--> 2	3	false	dialects/5.2/language.lua:9: bad argument #1 to 'rawlen' (table or string expected)
--> 3	2	3
--> true	2	1	nil
--> x,x,x		"0.33333333333333"
--> 3	2	3
--> 2
--> gc table
--> nil
--> true	0	0
--> true
--> [string "goto l; local a ::l:: print(a)"]:1: <goto l> at line 1 jumps into the scope of local 'a'
--> [string "::a:: goto a; ::a::"]:1: label 'a' already defined on line 1
--> nil	[string "do ::a:: end goto a"]:1: no visible label 'a' for <goto> at line 1
--> nil	[string "repeat goto c; local z ::c:: until z"]:1: <goto c> at line 1 jumps into the scope of local 'z'
--> true
--> nil	false	bad argument #1 to 'debug.setuservalue' (userdata expected, got number)
--> false	0	false
--> b
--> m52	1	true
