-- xpcall and its handler: arguments, tracebacks at the point of the error, errors in the handler, nesting.
print(xpcall(function(...) return ... end, print, 1, 2, 3))
print(xpcall(error, function(m) return "handled: " .. m, "dropped" end, "message", 0))
print(xpcall(function() local x = nil; x.y = 1 end, function(m) return (m:gsub("^.-:%d+: ", "")) end))
print(xpcall(error, function() return nil end)) print(xpcall(error, function() end)) print(xpcall(error, type, {}))
-- The handler runs on top of the stack that failed.
local function failing() local secret = "seen"; error("x") end
print(xpcall(failing, function(m)
  for level = 1, 10 do
    local i = 1
    while true do
      local name, value = debug.getlocal(level, i)
      if not name then break end
      if name == "secret" then return value end
      i = i + 1
    end
  end
end))
-- An error in the handler.
print(xpcall(error, function(m) if m == "first" then error("second", 0) end return "handled " .. tostring(m) end, "first", 0))
local ok, m = xpcall(error, function(m) error(m, 0) end, "again", 0) print(ok, type(m))
local calls = 0
ok = xpcall(error, function(m) calls = calls + 1 local x = nil + 1 end, "x") print(ok, calls > 1)
-- Nested xpcalls use the innermost handler.
print(xpcall(function()
  print(xpcall(error, function(m) return "inner " .. m end, "one", 0))
  error("two", 0)
end, function(m) return "outer " .. m end))
print(xpcall(function() print(pcall(error, "no handler for pcall", 0)) error("but here", 0) end, function(m) return "H " .. m end))
-- A handler that itself uses pcall, and one that is a callable table or not callable.
print(xpcall(error, function(m) return select(2, pcall(error, m .. " rethrown", 0)) end, "a", 0))
print(pcall(xpcall, error, setmetatable({}, {__call = print}), "b", 0))
print(pcall(xpcall, error, 5, "c"))
print(pcall(pcall)) print(pcall(pcall, error, "e", 0)) print(pcall(pcall, pcall, error))
-- Stack overflow with a handler.
local function over() return over() + 1 end
ok, m = xpcall(over, function(m) return "overflow: " .. tostring(m:find("stack overflow", 1, true) ~= nil) end)
print(ok, m)
print(select("#", xpcall(function() return nil, nil end, print)))
print(xpcall(coroutine.wrap(function() error("in wrap", 0) end), function(m) return "wrapped " .. m end))
--> true	1	2	3
--> false	handled: message
--> false	attempt to index a nil value (local 'x')
--> false	nil
--> false	nil
--> false	table
--> false	seen
--> false	handled second
--> false	string
--> false	true
--> false	inner one
--> false	outer two
--> false	no handler for pcall
--> false	H but here
--> false	a rethrown
--> false	bad argument #2 to 'xpcall' (function expected, got table)
--> false	bad argument #2 to 'xpcall' (function expected, got number)
--> false	bad argument #1 to 'pcall' (value expected)
--> true	false	e
--> true	true	false	nil
--> false	overflow: true
--> 3
--> false	wrapped in wrap
