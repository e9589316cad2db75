-- The string metatable and the library tables are read-only: no script changes them under another.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
print(pcall(function() getmetatable("").__index = function() return 1 end end))
print(pcall(rawset, getmetatable(""), "__index", {}))
print(pcall(rawset, getmetatable(""), "__add", print))
print(pcall(setmetatable, getmetatable(""), {__index = print}))
for _, name in ipairs {"string", "table", "math", "utf8", "coroutine", "os", "io", "debug"} do
  local t = _G[name]
  local key = next(t)
  local tries = {
    pcall(function() t[key] = nil end),
    pcall(function() t.new = 1 end),
    pcall(function() t[1] = 1 end),
    (pcall(rawset, t, key, 1)),
    (pcall(setmetatable, t, {})),
    (pcall(table.insert, t, 1)),
    (pcall(table.move, {1}, 1, 1, 1, t)),
    (pcall(table.insert, t, 1, 1)),
  }
  for i, ok in ipairs(tries) do assert(ok == false, name .. i) end
  assert(t[key] ~= nil and t.new == nil and #t == 0 and rawlen(t) == 0)
end
print(pcall(function() getmetatable(io.stdout).__index.write = print end))
print(pcall(function() getmetatable(io.stdout).__gc = print end))
print(("x"):upper())
-- Reading is as ever, and the names are the script's own.
print(next(string) ~= nil, getmetatable("").__index == string)
string, table = nil, {}
print(string, #table, ("x"):rep(3))
--> false	attacks/24_string_metatable.lua:6: attempt to modify a read-only table
--> false	attempt to modify a read-only table
--> false	attempt to modify a read-only table
--> false	attempt to modify a read-only table
--> false	attacks/24_string_metatable.lua:26: attempt to modify a read-only table
--> false	attacks/24_string_metatable.lua:27: attempt to modify a read-only table
--> X
--> true	true
--> nil	0	xxx
