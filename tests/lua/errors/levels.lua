-- error with levels, non-string values, positions; assert with messages; rethrowing.
local function e0() error("level 0", 0) end
local function e1() error("level 1", 1) end
local function e2() error("level 2", 2) end
local function e3() error("level 3", 3) end
print(pcall(e0)) print(pcall(e1)) print(pcall(e2))
print(pcall(function() e2() end))
print(pcall(function() (function() e3() end)() end))
print(pcall(error, "directly")) print(pcall(error, "directly", 2))
print(pcall(function() error("default level") end))
print(pcall(function() error("far", 50) end))
print(pcall(error)) print(pcall(error, nil)) print(pcall(error, true))
print(pcall(error, 42)) print(pcall(error, 42, 2))
local ok, t = pcall(error, {code = 7}) print(ok, type(t), t.code)
print(select("#", pcall(error)), select("#", pcall(error, 1, 2, 3)))
print(pcall(assert, true, "unused")) print(select("#", assert(1, 2, 3)))
print(pcall(assert, false)) print(pcall(assert, nil, "message")) print(pcall(assert, false, nil))
local ok, e = pcall(assert, false, {"table"}) print(ok, e[1])
print(pcall(function() local ok, e = pcall(error, "inner", 0) error("outer(" .. e .. ")", 0) end))
print(pcall(function() local ok, e = pcall(error, setmetatable({}, {__tostring = function() return "object" end})) error(e) end))
local line = debug.getinfo(1, "l").currentline
local _, m = pcall(function()
  local x = 1 +
    nil
end)
print(m == ("%s:%d: attempt to perform arithmetic on a nil value"):format(debug.getinfo(1, "S").short_src, line + 2), m)
_, m = pcall(load("\n\nerror('in chunk')", "=chunk")) print(m)
_, m = pcall(load("\n\nerror('in chunk')", "@file.lua")) print(m)
_, m = pcall(load("error('in chunk')\n--more")) print(m)
_, m = pcall(load("error('x')", "a long string that is the source of the chunk and does not fit in the message at all"))
print(m)
_, m = pcall(load("error('x')", "@/a/very/long/path/that/does/not/fit/into/the/space/there/is/for/names/of/files.lua"))
print(m)
_, m = pcall(load("error('x')", "=" .. ("n"):rep(100))) print(m)
--> false	level 0
--> false	errors/levels.lua:3: level 1
--> false	level 2
--> false	errors/levels.lua:7: level 2
--> false	errors/levels.lua:8: level 3
--> false	directly
--> false	errors/levels.lua:9: directly
--> false	errors/levels.lua:10: default level
--> false	far
--> false	nil
--> false	nil
--> false	true
--> false	42
--> false	42
--> false	table	7
--> 2	2
--> true	true	unused
--> 3
--> false	assertion failed!
--> false	message
--> false	nil
--> false	table
--> false	outer(inner)
--> false	object
--> true	errors/levels.lua:23: attempt to perform arithmetic on a nil value
--> chunk:3: in chunk
--> file.lua:3: in chunk
--> [string "error('in chunk')..."]:1: in chunk
--> [string "a long string that is the source of the chunk..."]:1: x
--> ...s/not/fit/into/the/space/there/is/for/names/of/files.lua:1: x
--> nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn:1: x
