-- Metamethods that are natives, Lua functions, callable tables and functions that yield, for each event and in each place.

-- Natives, which return at once.
local n = setmetatable({}, {
  __add = rawequal, __sub = select, __concat = rawequal, __unm = type, __len = type, __eq = rawequal, __lt = rawequal, __le = rawequal,
  __index = function() end, __call = select, __bnot = type, __idiv = math.max,
})
local m = setmetatable({}, getmetatable(n))
print(n + 1, n + n, n .. "x", "x" .. n, -n, #n, ~n, n == m, n ~= m, n < m, n <= m, n > m)
print((pcall(function() return 2 - n end)), (pcall(function() return n // 3 end)))
print(pcall(n, 1, 2) == false)
print(select(2, pcall(function() local t = setmetatable({}, { __index = string.rep }) return t.x end)))
print(select(2, pcall(function() local t = setmetatable({}, { __newindex = string.rep }) t.x = 1 end)))
local raw = setmetatable({}, { __newindex = rawset, __index = rawequal })
raw.a, raw[1], raw[1.5], raw[("long"):rep(20)] = 1, 2, 3, 4
print(raw.a, raw[1], raw[1.5], raw[("long"):rep(20)], raw.none, raw[2])

-- Chains of concatenation: each from the right, by natives and functions.
local c
c = setmetatable({}, { __concat = function(a, b) return (a == c and "c" or tostring(a)) .. "|" .. (type(b) == "table" and "t" or b) end })
print("a" .. 1 .. c .. "b" .. 2)
print(c .. c .. "x" .. c)
local pair = setmetatable({}, { __concat = function(a, b) return setmetatable({}, getmetatable(a == nil and b or (type(a) == "table" and a or b))) end })
print(type("a" .. pair .. "b" .. pair .. 1))
local join = setmetatable({}, { __concat = rawlen and function(a, b) return 7 end })
print(1 .. join .. 2)

-- Those that yield: natives too.
local y = setmetatable({}, {
  __add = coroutine.yield, __concat = coroutine.yield, __lt = coroutine.yield, __le = coroutine.yield, __eq = coroutine.yield, __len = coroutine.yield,
  __index = coroutine.yield, __newindex = coroutine.yield, __call = coroutine.yield, __unm = coroutine.yield,
})
local z = setmetatable({}, getmetatable(y))
local co = coroutine.wrap(function()
  local r = { y + 1, "x" .. y .. "z", y < z, y <= z, y == z, #y, y.k, y(8, 9), -y }
  y.k = 5
  return #r, table.unpack(r)
end)
local function step(...) local r = table.pack(co(...)) for i = 1, r.n do if type(r[i]) == "table" then r[i] = "table" end end print(table.unpack(r, 1, r.n)) end
step() for i = 1, 9 do step(i, "more") end
step()

-- Functions with every number of parameters.
local f = {}
for i, body in ipairs { function() end, function(a) return a end, function(a, b, c, d) return d end, function(...) return select("#", ...) end,
  function(a, ...) return ..., 1 end } do
  f[i] = setmetatable({}, { __add = body, __index = body, __newindex = body, __call = body, __concat = body, __lt = body, __unm = body, __len = body })
  local o = f[i]
  local function kind(v) return type(v) == "table" and "t" or v end
  print(i, kind(o + 1), kind(o.x), kind(o[1]), kind(o[2.5]), kind(o()), kind(o(1)), kind(o(1, 2)), kind((o(1, 2, 3))), kind(o .. "s"), o < o, kind(-o), kind(#o))
  o.x, o[1], o[o] = 1, 2, 3
  print(next(o))
end

-- Without room: errors that are caught, and all is as before.
local deep = setmetatable({}, { __call = function(self, n) return n == 0 and 0 or 1 + self(n - 1) end })
print(deep(5000))
local endless = setmetatable({}, {})
local meta = getmetatable(endless)
meta.__call = function(self, ...) return 1 + self(...) end
meta.__add = function(a, b) return 1 + (a + b) end
meta.__concat = function(a, b) return 1 .. (a .. b) .. "" end
meta.__index = function(t, k) return 1 + t[k] end
meta.__newindex = function(t, k, v) t[k] = v; return 1 end
meta.__lt = function(a, b) return not (a < b) end
for _, try in ipairs { function() return endless(1, 2) end, function() return endless + 1 end, function() return endless .. "x" end,
  function() return endless.x end, function() endless.x = 1 end, function() return endless < endless end } do
  local ok, message = pcall(try)
  print(ok, (tostring(message):match("stack overflow")))
end
-- Callables of callables.
local inner = setmetatable({}, { __call = function(self, ...) return "inner", select("#", ...) end })
local outer = setmetatable({}, { __call = inner, __add = inner, __index = inner, __concat = inner })
print(outer(1, 2)) print(outer + 1, outer.x and 1, outer .. "x")
-- Many arguments to one that takes them all or a few.
local many = {} for i = 1, 200 do many[i] = i end
local all = setmetatable({}, { __call = function(self, ...) return select("#", ...), (select(200, ...)) end })
local few = setmetatable({}, { __call = function(self, a, b) return a, b end })
print(all(table.unpack(many))) print(few(table.unpack(many)))
local function tail(...) return few(...) end
print(tail(3, 4, 5))
--> false	true	false	false	table	table	table	false	true	false	false	false
--> true	true
--> true
--> metatables/every_kind_of_function.lua:12: bad argument #1 to 'index' (string expected, got table)
--> metatables/every_kind_of_function.lua:13: bad argument #1 to 'newindex' (string expected, got table)
--> 1	2	3	4	false	false
--> a1c|b2
--> c|c|x|t
--> table
--> 17
--> table	1
--> table	z
--> table	table
--> table	table
--> table	table
--> table	table
--> table	k
--> table	8	9
--> table	table
--> table	k	5
--> 9	1	x2	true	true	true	6	7	8	9
--> 1	nil	nil	nil	nil	nil	nil	nil	nil	nil	false	nil	nil
--> nil
--> 2	t	t	t	t	t	t	t	t	t	true	t	t
--> nil
--> 3	nil	nil	nil	nil	nil	nil	nil	3	nil	false	nil	nil
--> nil
--> 4	2	2	2	2	1	2	3	4	2	true	2	2
--> nil
--> 5	1	x	1	2.5	nil	1	1	1	s	true	t	t
--> nil
--> 5000
--> false	stack overflow
--> false	stack overflow
--> false	stack overflow
--> false	stack overflow
--> false	stack overflow
--> false	stack overflow
--> inner	3
--> inner	nil	inner
--> 200	200
--> 1	2
--> 3	4
