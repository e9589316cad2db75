-- Each function of 5.1 has its own environment; so has each coroutine.
-- dialect: 5.1
local function f() return g1 end
setfenv(f, {g1 = "own"}) print(f(), getfenv(f).g1, getfenv(1) == _G, getfenv() == _G, getfenv(0) == _G, getfenv(print) == _G)
print(pcall(setfenv, print, {})) print(pcall(setfenv, 1)) print(pcall(setfenv, 100, {})) print(pcall(getfenv, 100)) print(pcall(getfenv, -1)) print(pcall(setfenv, "x", {})) print(pcall(getfenv, "x")) print(pcall(setfenv, f, 1)) print(setfenv(f, _G) == f)
local function sandbox() setfenv(1, {tostring = tostring}) x = 1 return x, print end print(sandbox()) print(x)
local function maker() return function() return y end end setfenv(maker, {y = "in"}) print(maker()()) 
local chunk = loadstring("z = 5 return z, getfenv(1) ~= nil") local env = {getfenv = getfenv} setfenv(chunk, env) print(chunk()) print(z, env.z)
local function lvl() setfenv(2, setmetatable({marker = "m"}, {__index = _G})) end
local function caller() lvl() return marker end print(caller(), marker)
setfenv(0, setmetatable({zero = 1}, {__index = _G})) print(zero, loadstring("return zero")()) print(coroutine.wrap(function() return loadstring("return zero")() end)()) setfenv(0, _G)
print(debug.getfenv(f) == _G, debug.getfenv(coroutine.create(f)) == _G, debug.setfenv(f, {}) == f, debug.getfenv(1))
--> own	own	true	true	true	true
--> false	'setfenv' cannot change environment of given object
--> false	bad argument #2 to '?' (table expected, got no value)
--> false	bad argument #1 to '?' (invalid level)
--> false	bad argument #1 to '?' (invalid level)
--> false	bad argument #1 to '?' (level must be non-negative)
--> false	bad argument #1 to '?' (number expected, got string)
--> false	bad argument #1 to '?' (number expected, got string)
--> false	bad argument #2 to '?' (table expected, got number)
--> true
--> 1	nil
--> nil
--> in
--> 5	true
--> nil	5
--> m	nil
--> nil	1
--> 1
--> true	true	true	nil
