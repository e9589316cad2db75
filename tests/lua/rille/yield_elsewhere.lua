-- Yields in load's reader, in require, in tostring and print, in table functions with metamethods, in __gc-free corners.
-- only: rille
local y = coroutine.yield
local function run(name, f)
  local out = {name}
  local co = coroutine.create(f)
  local v
  repeat
    local r = table.pack(coroutine.resume(co, v))
    for i = 1, r.n do out[#out + 1] = tostring(r[i]) end
    v = "v"
  until coroutine.status(co) == "dead" or #out > 40
  print(table.concat(out, " "))
end
run("reader", function()
  local pieces = {"return ", "1 + ", "2"}
  return load(function() y("want") return table.remove(pieces, 1) end)()
end)
package.preload.yielding = function() y("loading") return "module" end
run("require", function() return (require "yielding") end)
run("tostring", function() return tostring(setmetatable({}, {__tostring = function() y("in tostring") return "text" end})) end)
run("concat", function() return table.concat(setmetatable({}, {__len = function() y("len") return 2 end, __index = function(_, i) y("index" .. i) return "e" .. i end}), ",") end)
run("unpack", function() return table.unpack(setmetatable({}, {__index = function(_, i) y("index" .. i) return i end}), 1, 2) end)
run("insert", function() local t = setmetatable({}, {__newindex = function(t, k, v) y("newindex") rawset(t, k, v) end}) table.insert(t, "x") return t[1] end)
run("move", function() local t = setmetatable({}, {__index = function(_, i) y("read" .. i) return i * 10 end}) return table.concat(table.move(t, 1, 2, 1, {}), " ") end)
run("sort metamethod", function()
  local mt = {__lt = function(a, b) y("lt") return a.v < b.v end}
  local a, b = setmetatable({v = 2}, mt), setmetatable({v = 1}, mt)
  local t = {a, b}
  table.sort(t)
  return t[1].v
end)
run("ipairs", function() local n = 0 for _, v in ipairs(setmetatable({}, {__index = function(_, i) if i < 3 then y("i" .. i) return i end end})) do n = n + v end return n end)
run("format", function() return string.format("%s-%s", setmetatable({}, {__tostring = function() y("fmt") return "obj" end}), 1) end)
run("handler", function() return xpcall(function() error("e", 0) end, function(m) y("handling") return m .. " handled" end) end)
run("dofile", function() return (dofile "lib/nested/init.lua") end)
run("close in wrap", function() local w = coroutine.wrap(function() local c <close> = setmetatable({}, {__close = function() y("closing") end}) return "w" end) y(w()) return w() end)
--> reader true want true want true want true want true 3
--> require true loading true module
--> tostring true in tostring true text
--> concat true len true index1 true index2 true e1,e2
--> unpack true index1 true index2 true 1 2
--> insert true newindex true x
--> move true read1 true read2 true 10 20
--> sort metamethod true lt true 1
--> ipairs true i1 true i2 true 3
--> format true fmt true obj-1
--> handler true handling true false e handled
--> dofile true nested module
--> close in wrap true closing true w
