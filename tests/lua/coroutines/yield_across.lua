-- Yields across pcall, xpcall, error handlers' callers, metamethods, iterators, dofile-like chunks and tail calls.
local y = coroutine.yield
local function run(name, f)
  local co = coroutine.create(f)
  local out = {name}
  local v
  repeat
    local r = table.pack(coroutine.resume(co, v))
    for i = 1, r.n do out[#out + 1] = tostring(r[i]) end
    v = "sent"
  until coroutine.status(co) == "dead" or #out > 40
  print(table.concat(out, " "))
end
run("pcall", function() return pcall(function() return y(1), y(2) end) end)
run("pcall error", function() return pcall(function() y(1) error("after yield", 0) end) end)
run("nested pcall", function() return pcall(pcall, pcall, function() y("deep") error("e", 0) end) end)
run("xpcall", function() return xpcall(function(a) y(a) error("bad", 0) end, function(m) return "handled " .. m end, "arg") end)
run("pcall yield directly", function() return pcall(y, "a", "b") end)
run("select", function() return select(2, y(1), y(2)) end)
local mt = {}
for _, e in ipairs {"add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl", "shr", "bnot", "concat", "len", "eq", "lt", "le", "index", "call"} do
  mt["__" .. e] = function(a, b) return y(e) end
end
mt.__newindex = function(t, k, v) y("newindex") rawset(t, k, v) end
local function o() return setmetatable({}, mt) end
run("arith", function() local a = o() return a + 1, 1 - a, a * a, a / 2, a % 2, a ^ 2, -a, a // 2 end)
run("bits", function() local a = o() return a & 1, 1 | a, a ~ a, a << 1, 2 >> a, ~a end)
run("concat", function() local a = o() return "x" .. a, a .. "x" .. "y", "p" .. "q" .. a end)
run("len eq", function() local a = o() return #a, a == o(), a ~= o() end)
run("order", function() local a = o() return a < 1, 1 <= a, a > 1, 1 >= a end)
run("if", function() local a = o() if a < 1 then return "yes" else return "no" end end)
run("index", function() local a = o() return a.x, a[1], a["y z"], a:method() end)
run("newindex", function() local a = o() a.x = 5 a[1] = 6 return rawget(a, "x"), rawget(a, 1) end)
run("call", function() local a = o() return a(1), (a()) end)
run("iterator", function()
  local sum = 0
  for i, v in function(_, i) i = (i or 0) + 1 y("it" .. i) if i <= 3 then return i, i * i end end do sum = sum + v end
  return sum
end)
run("pairs", function()
  local t = setmetatable({}, {__pairs = function() y("in __pairs") return next, {a = 1} end})
  for k, v in pairs(t) do y(k) end
end)
run("tail", function() local function f(n) if n == 0 then return y("bottom") end return f(n - 1) end return f(10) end)
run("load", function() return load("local a = coroutine.yield('in chunk') return a")() end)
run("multiple", function() return (function(...) return select("#", ...), ... end)(y(), y(), y()) end)
run("table", function() local t = {y(1), y(2), x = y(3)} return #t, t.x end)
run("wrap in wrap", function() local w = coroutine.wrap(function() y("inner1") y("inner2") return "inner end" end) y(w()) y(w()) return w() end)
--> pcall true 1 true 2 true true sent sent
--> pcall error true 1 true false after yield
--> nested pcall true deep true true true false e
--> xpcall true arg true false handled bad
--> pcall yield directly true a b true true sent
--> select true 1 true 2 true sent
--> arith true add true sub true mul true div true mod true pow true unm true idiv true sent sent sent sent sent sent sent sent
--> bits true band true bor true bxor true shl true shr true bnot true sent sent sent sent sent sent
--> concat true concat true concat true concat true sent sent psent
--> len eq true len true eq true eq true sent true false
--> order true lt true le true lt true le true true true true true
--> if true lt true yes
--> index true index true index true index true index false coroutines/yield_across.lua:32: attempt to call a string value (method 'method')
--> newindex true newindex true newindex true 5 6
--> call true call true call true sent sent
--> iterator true it1 true it2 true it3 true it4 true 14
--> pairs true in __pairs true a true
--> tail true bottom true sent
--> load true in chunk true sent
--> multiple true true true true 3 sent sent sent
--> table true 1 true 2 true 3 true 2 sent
--> wrap in wrap true inner1 true inner2 true inner end
