-- Whatever pushes many values checks that the stack has room.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 100000000
-- timeout: 20 s
-- stress: skip, large stacks
local long = ("x"):rep(2000000)
local function refused(name, f, ...)
  local ok, message = pcall(f, ...)
  print(name, ok, type(message) == "string" and message:gsub("^.-:%d+: ", "") or select("#", message))
end
refused("byte", function() return string.byte(long, 1, -1) end)
refused("codepoint", function() return utf8.codepoint(long, 1, -1) end)
refused("unpack", function() return string.unpack(("b"):rep(1200000), long) end)
refused("table.unpack", function() return table.unpack({}, 1, 1200000) end)
refused("captures", function() return long:find(("(.)"):rep(33)) end)
refused("match", function() return long:match(("()"):rep(40)) end)
local function many(n) return table.unpack({}, 1, n) end
refused("arguments", function() return select("#", many(999000), many(999000)) end)
refused("varargs", function() local function f(...) return f(..., ...) end return f(many(900000)) end)
refused("resume", function() return coroutine.resume(coroutine.create(function(...) return select("#", ...) end), many(999900)) end)
refused("wrap", function() return coroutine.wrap(function(...) return many(400000) end)(many(500000)) end)
refused("yield", function()
  local co = coroutine.create(function() coroutine.yield(many(600000)) end)
  return select("#", coroutine.resume(co))
end)
refused("recursion", function() local function f() return 1 + f() end return f() end)
refused("metamethods", function() local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) return t[k + 1] end return t[1] end)
refused("pcall", function() local function f() return (pcall(f)) end return f() end)
refused("tostring", function() local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return tostring(t) end return tostring(t) end)
refused("gsub", function() local function f() return ("x"):gsub("x", f) end return f() end)
refused("sort", function() local function f() table.sort({1, 2, 3}, f) end return f() end)
refused("load", function() local function f() return load(f) end return f() end)
refused("close", function() local function f() local x <close> = setmetatable({}, {__close = f}) end return f() end)
refused("error", function() local function f() error(f()) end return f() end)
refused("xpcall", function() return xpcall(error, function(m) return error(m) end) end)
refused("format", function() return ("%s"):rep(1000000):format(many(999900)) end)
refused("concat", function() local f = load("local a = ... return " .. ("a .. "):rep(190) .. "a") return #f(long) end)
print("alive")
--> byte	false	stack overflow (string slice too long)
--> codepoint	false	stack overflow
--> unpack	false	stack overflow
--> table.unpack	false	too many results to unpack
--> captures	false	too many captures
--> match	false	too many captures
--> arguments	true	1
--> varargs	false	stack overflow
--> resume	true	1
--> wrap	true	1
--> yield	true	1
--> recursion	false	stack overflow
--> metamethods	false	stack overflow
--> pcall	true	1
--> tostring	false	stack overflow
--> gsub	false	not enough memory
--> sort	false	stack overflow
--> load	true	1
--> close	false	not enough memory
--> error	false	stack overflow
--> xpcall	true	1
--> format	false	bad argument #999901 to 'format' (no value)
--> concat	false	not enough memory
--> alive
