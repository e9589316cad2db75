-- Much garbage of every kind; what is kept must be intact at the end.
-- stress: skip, a collection at every allocation of a growing heap is quadratic
local keep = {}
for i = 1, 3000 do
  local s = ("%d:%s"):format(i, ("x"):rep(i % 50))
  local t = {i, s, {i}}
  local f = function() return i, s, t end
  local co = coroutine.create(function(a) local b = coroutine.yield(a .. s) return b, s end)
  coroutine.resume(co, "got ")
  if i % 100 == 0 then keep[#keep + 1] = {f = f, co = co, s = s, t = t} end
end
for n, k in ipairs(keep) do
  local i = n * 100
  local a, s, t = k.f()
  local ok, b, s2 = coroutine.resume(k.co, i)
  assert(a == i and s == k.s and t == k.t and t[3][1] == i and ok and b == i and s2 == s)
end
print(#keep)
-- A long list, a deep tree, a cycle, a big table that shrinks.
local list
for i = 1, 50000 do list = {next = list, i = i} end
local n = 0
while list do n = n + 1 list = list.next end
print(n)
local function tree(d) if d == 0 then return {} end return {tree(d - 1), tree(d - 1)} end
local function count(t) if not t[1] then return 1 end return count(t[1]) + count(t[2]) end
print(count(tree(12)))
local a, b = {}, {} a.b = b b.a = a
a, b = nil, nil
local big = {}
for i = 1, 50000 do big[i] = {} end
for i = 1, 49990 do big[i] = nil end
collectgarbage()
local left = 0
for _ in pairs(big) do left = left + 1 end
print(left)
-- Strings built up and dropped; equal strings stay equal.
local parts = {}
for i = 1, 2000 do parts[i % 7 + 1] = ("ab"):rep(i % 30) .. i end
collectgarbage()
print(parts[1] == ("ab"):rep(1995 % 30) .. "1995", #table.concat(parts))
-- Deeply linked objects must not exhaust the native stack when marked.
local chain = {}
for _ = 1, 200000 do chain = {chain} end
collectgarbage()
local depth = 0
while chain[1] do chain = chain[1] depth = depth + 1 end
print(depth)
--> 30
--> 50000
--> 4096
--> 10
--> true	266
--> 200000
