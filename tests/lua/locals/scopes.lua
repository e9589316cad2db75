-- Blocks, shadowing, and where a local becomes visible.
local x = 1
do local x = 2; do local x = 3; print(x) end print(x) end
print(x)
local y = y
print(y)
local function recursive() return recursive ~= nil end
print(recursive())
local notyet = function() return notyet end
print(notyet())
if true then local z = "inner" end
print(z)
for x = 10, 10 do print(x) end
print(x)
local a, a = 1, 2
print(a)
global = "g"
local global = global .. "l"
print(global, _G.global, _ENV.global)
do local _ENV = {print = print} print(global2) global2 = 5 print(global2) end
print(global2)
local function with_env(_ENV) return value end
print(with_env {value = "from a parameter"})
local function sandbox() local _ENV <const> = {tostring = tostring} z1 = 1 return tostring(z1), _G end
print(sandbox())
print(z1)
do local print = function(...) io.write("shadowed ", ...) io.write("\n") end print("x") end
print("back")
local function param(a, a) return a end
print(param(1, 2))
print(pcall(function() local _ENV = nil; return foo end))
print(pcall(function() local _ENV = 5; foo = 1 end))
--> 3
--> 2
--> 1
--> nil
--> true
--> nil
--> nil
--> 10
--> 1
--> 2
--> gl	g	g
--> nil
--> 5
--> nil
--> from a parameter
--> 1	nil
--> nil
--> shadowed x
--> back
--> 2
--> false	locals/scopes.lua:31: attempt to index a nil value (local '_ENV')
--> false	locals/scopes.lua:32: attempt to index a number value (local '_ENV')
