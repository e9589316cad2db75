-- Coroutines with deep stacks, stacks that grow while suspended values are live, and yields from deep calls.
local function deep(n, ...) if n == 0 then return coroutine.yield(select("#", ...)) end local a, b, c = n, n * 2, n * 3 local r = deep(n - 1, a, b, c, ...) assert(a * 2 == b and a * 3 == c) return r end
local co = coroutine.wrap(function() return deep(60) end)
print(co()) print(co("done"))
local function plain(n) if n == 0 then coroutine.yield("bottom") return 0 end return 1 + plain(n - 1) end
co = coroutine.wrap(plain)
print(co(15000)) print(co())
co = coroutine.wrap(function() for i = 1, 5 do plain(i * 1000) end return "shrunk and grown" end)
for _ = 1, 5 do co() collectgarbage() end
print(co())
-- Open upvalues survive when the stack moves.
co = coroutine.wrap(function()
  local v = 1
  local function inc() v = v + 1 return v end
  local function grow(n) if n > 0 then local pad = {n, n} grow(n - 1) return pad end inc() end
  grow(5000)
  coroutine.yield(v)
  grow(10000)
  return v, inc(), v
end)
print(co()) print(co())
local ok, m = coroutine.resume(coroutine.create(function() local function f() return 1 + f() end return f() end))
print(ok, m:match("stack overflow"))
print(coroutine.wrap(function(...) return select("#", ...) end)(table.unpack({}, 1, 5000)))
co = coroutine.wrap(function() return select("#", coroutine.yield(table.unpack({}, 1, 5000))) end)
print(select("#", co())) print(co(table.unpack({}, 1, 7000)))
--> 180
--> done
--> bottom
--> 15000
--> shrunk and grown
--> 2
--> 3	4	4
--> false	stack overflow
--> 5000
--> 5000
--> 7000
