-- Strings share one metatable: methods can be added, the index replaced, arithmetic intercepted.
function string.shout(s) return s:upper() .. "!" end
print(("hey"):shout())
local mt = getmetatable("")
local index = mt.__index
mt.__index = function(s, k) if type(k) == "number" then return s:sub(k, k) end return index[k] end
local s = "hello"
print(s[1], s[5], s[-1], s:upper(), ("x")[2])
mt.__index = index
mt.__call = function(s, x) return s .. "(" .. tostring(x) .. ")" end
print(("f")(1))
mt.__call = nil
local add = mt.__add
mt.__add = function(a, b) return a .. "+" .. b end
print("a" + "b", 1 + "x", "10" + 5)
mt.__add = add
print("10" + 5, pcall(function() return "a" + "b" end))
mt.__len = function() return "never used for strings" end
print(#"abc")
mt.__len = nil
mt.__eq = function() return true end
print("a" == "b")
mt.__eq = nil
mt.__lt = function() return true end
print("b" < "a", pcall(function() return "a" < 1 end))
mt.__lt = nil
print(pcall(function() return ("x").y.z end))
--> HEY!
--> h	o	o	HELLO	
--> f(1)
--> a+b	1+x	10+5
--> 15	false	metatables/string_metatable.lua:17: attempt to add a 'string' with a 'string'
--> 3
--> false
--> false	true	true
--> false	metatables/string_metatable.lua:27: attempt to index a nil value (field 'y')
