-- What the sandbox profile leaves out, and what it keeps.
-- only: rille
-- flags: --sandbox
local function missing(name, t, ...)
  local out = {}
  for _, key in ipairs {...} do
    if t ~= nil and t[key] ~= nil then out[#out + 1] = key end
  end
  print(name, #out == 0 and "nothing of it" or table.concat(out, " "))
end
-- What reaches the host is gone.
missing("os", os, "execute", "exit", "remove", "rename", "tmpname")
missing("io", io, "popen", "open", "tmpfile")
missing("package", package, "loadlib")
missing("debug", debug, "getregistry", "sethook", "setmetatable", "setupvalue", "upvaluejoin", "setlocal", "getlocal")
missing("string", string, "dump")
print(pcall(function() return dofile("lib/simple.lua") end) == false, pcall(function() return loadfile("lib/simple.lua")() end) == false)
print((load("\27Lua")))
-- What is safe stays.
missing("os", os, "time", "clock", "date")
missing("debug", debug, "traceback", "getinfo")
print(type(load), type(string.rep), type(coroutine.wrap), type(utf8.char), type(math.random))
print(load("return 1 + 1")())
--> os	nothing of it
--> io	nothing of it
--> package	nothing of it
--> debug	nothing of it
--> string	nothing of it
--> true	true
--> nil
--> os	time clock date
--> debug	traceback getinfo
--> function	function	function	function	function
--> 2
