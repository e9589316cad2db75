-- _ENV as a variable: locals, upvalues, parameters, functions with their own globals.
local print, setmetatable, load, pcall = print, setmetatable, load, pcall
do local _ENV = {} a = 1 print(a, _ENV.a) end print(a)
local function f(_ENV) return x end print(f {x = "param"})
local function sandbox(t) local _ENV = setmetatable({}, {__index = t}) function g() return base end h = g() return _ENV end
local s = sandbox {base = "base value"} print(s.h, s.g(), rawget(s, "base"), h)
local strict = setmetatable({}, {__index = function(_, k) error("undefined " .. k, 2) end, __newindex = function(_, k) error("assign " .. k, 2) end}) do local error = error
local _ENV = strict print(pcall(function() return foo end)) print(pcall(function() foo = 1 end)) end
local log = {}
local traced = setmetatable({}, {__index = function(_, k) log[#log + 1] = "get " .. k return _G[k] end, __newindex = function(_, k, v) log[#log + 1] = "set " .. k _G[k] = v end})
load("value = tostring(value or 1) .. tostring(2)", "n", "t", traced)() print(table.concat(log, ", "), value)
local function counter() local _ENV = {n = 0} return function() n = n + 1 return n end end
local c1, c2 = counter(), counter() print(c1(), c1(), c2())
_G.shared = "global" print(shared, _ENV == _G, _ENV.shared)
local _ENV = {_G = _G, print = print} print(shared, _G.shared) newglobal = 1
print(_G.newglobal, newglobal)
--> 1	1
--> nil
--> param
--> base value	base value	nil	nil
--> false	load/environments.lua:8: undefined foo
--> false	load/environments.lua:8: assign foo
--> get tostring, get value, get tostring, set value	12
--> 1	2	1
--> global	true	global
--> nil	global
--> nil	1
