-- wrap: generators, errors with positions, dead coroutines.
local function range(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
for i in range(4) do io.write(i, " ") end print()
local function permutations(a)
  local function permgen(n)
    if n <= 1 then coroutine.yield(a) else
      for i = 1, n do a[n], a[i] = a[i], a[n] permgen(n - 1) a[n], a[i] = a[i], a[n] end
    end
  end
  return coroutine.wrap(function() permgen(#a) end)
end
local seen = {}
for p in permutations {1, 2, 3} do seen[#seen + 1] = table.concat(p) end
print(table.concat(seen, " "))
local dead = coroutine.wrap(function() return "only once" end)
print(dead()) print(pcall(dead))
local failing = coroutine.wrap(function() error("with position") end)
print(pcall(failing)) print(pcall(failing))
local object = coroutine.wrap(function() error({code = 5}) end)
local ok, e = pcall(object) print(ok, type(e), e.code)
print(pcall(coroutine.wrap(function() error("no position", 0) end)))
print(pcall(coroutine.wrap(function() error() end)))
print(pcall(coroutine.wrap(function() local x = nil; x() end)))
print(pcall(coroutine.wrap(print)))
-- Producer, filter, consumer.
local function producer() return coroutine.wrap(function() for _, w in ipairs {"a", "b", "c"} do coroutine.yield(w) end end) end
local function filter(p) return coroutine.wrap(function() local n = 1 for w in p do coroutine.yield(n .. w) n = n + 1 end end) end
local out = {}
for x in filter(producer()) do out[#out + 1] = x end
print(table.concat(out, " "))
-- Recursive tree walk.
local function insert(t, v) if not t then return {v = v} end if v < t.v then t.l = insert(t.l, v) else t.r = insert(t.r, v) end return t end
local function walk(t) if t then walk(t.l) coroutine.yield(t.v) walk(t.r) end end
local tree for _, v in ipairs {5, 2, 8, 1, 9, 3} do tree = insert(tree, v) end
for v in coroutine.wrap(function() walk(tree) end) do io.write(v, " ") end print()
local self self = coroutine.wrap(function() return pcall(self) end)
print(self())
--> 1 2 3 4 
--> 231 321 312 132 213 123
--> only once
--> false	cannot resume dead coroutine
--> false	coroutines/wrap.lua:17: with position
--> false	cannot resume dead coroutine
--> false	table	5
--> false	no position
--> false	nil
--> false	coroutines/wrap.lua:23: attempt to call a nil value (local 'x')
-->
--> true
--> 1a 2b 3c
--> 1 2 3 5 8 9 
--> false	cannot resume non-suspended coroutine
