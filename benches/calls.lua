-- Calls of every kind, in nanoseconds of CPU time each, the loop around them taken off: `rille lua benches/calls.lua`, `lua5.4 benches/calls.lua`.
local n = tonumber((...)) or 1000000
local clock, pcall, rawlen, rawequal = os.clock, pcall, rawlen or function(t) return #t end, rawequal
local setmetatable, getmetatable, select, tostring, next = setmetatable, getmetatable, select, tostring, next

local function measure(name, body, per)
  local best = math.huge
  for _ = 1, 5 do
    local start = clock()
    body(n)
    best = math.min(best, clock() - start)
  end
  return name, best * 1e9 / n / (per or 1)
end

local _, empty = measure("", function(n) for _ = 1, n do end end)
local function show(name, body)
  local _, ns = measure(name, body)
  print(string.format("%-40s %6.1f", name, ns - empty))
end

local function nothing() end
local function same(a) return a end
show("a Lua function", function(n) for _ = 1, n do nothing() end end)
show("a Lua function of a value", function(n) for i = 1, n do same(i) end end)
local function extra(...) return ... end
show("a Lua function of extra arguments", function(n) for i = 1, n do extra(i, i) end end)
local t = setmetatable({}, {})
show("a native: rawequal", function(n) for i = 1, n do rawequal(i, i) end end)
show("a native: getmetatable", function(n) for _ = 1, n do getmetatable(t) end end)
show("a native: next", function(n) for _ = 1, n do next(t) end end)

local s = "abc"
show("a native by method: s:len()", function(n) for _ = 1, n do s:len() end end)
show("pcall of a Lua function", function(n) for _ = 1, n do pcall(nothing) end end)
show("pcall of a native", function(n) for i = 1, n do pcall(rawequal, i, i) end end)
show("pcall that catches an error", function(n) for _ = 1, n do pcall(error, t) end end)

local meta = {}
local o = setmetatable({}, meta)
local function two(a, b) return b end
for _, event in ipairs { "add", "concat", "unm", "len", "eq", "lt", "le", "index", "call", "newindex" } do meta["__" .. event] = two end
local p = setmetatable({}, meta)
show("__add", function(n) for _ = 1, n do local _ = o + 1 end end)
show("__concat", function(n) for _ = 1, n do local _ = o .. s end end)
show("__unm", function(n) for _ = 1, n do local _ = -o end end)
show("__eq", function(n) for _ = 1, n do local _ = o == p end end)
show("__lt", function(n) for _ = 1, n do local _ = o < p end end)
show("__le", function(n) for _ = 1, n do local _ = o <= p end end)
show("__index, a function", function(n) for _ = 1, n do local _ = o.x end end)
show("__newindex, a function", function(n) for _ = 1, n do o.x = 1 end end)
show("__call", function(n) for i = 1, n do o(i) end end)
local native = setmetatable({}, { __index = rawequal, __add = rawequal })
show("__index, a native", function(n) for _ = 1, n do local _ = native.x end end)
show("__add, a native", function(n) for _ = 1, n do local _ = native + 1 end end)
local parent = setmetatable({}, { __index = setmetatable({}, { __index = { x = 1 } }) })
show("__index, two tables up", function(n) for _ = 1, n do local _ = parent.x end end)

local create, resume, yield, wrap = coroutine.create, coroutine.resume, coroutine.yield, coroutine.wrap
local loop = create(function() while true do yield() end end)
show("resume and yield", function(n) for _ = 1, n do resume(loop) end end)
local passing = create(function(a) while true do a = yield(a) end end)
show("resume and yield of a value", function(n) for i = 1, n do local _, _ = resume(passing, i) end end)
local wrapped = wrap(function(a) while true do a = yield(a) end end)
show("the same by wrap", function(n) for i = 1, n do local _ = wrapped(i) end end)
show("create, resume, end", function(n) for _ = 1, n do resume(create(nothing)) end end)
