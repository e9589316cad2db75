-- A comparator may yield: the sort is suspended and goes on where it was.
-- only: rille
local t = {5, 3, 8, 1, 9, 2, 7}
local co = coroutine.wrap(function()
  local comparisons = 0
  table.sort(t, function(a, b)
    comparisons = comparisons + 1
    coroutine.yield(comparisons)
    return a < b
  end)
  return "sorted", comparisons > 5
end)
local yields = 0
while true do
  local v, enough = co()
  if v == "sorted" then print(v, enough) break end
  yields = yields + 1
  assert(v == yields)
  collectgarbage()
end
print(table.concat(t, " "), yields > 5)
-- Two sorts interleaved.
local function sorter(list) return coroutine.create(function() table.sort(list, function(a, b) coroutine.yield() return a > b end) end) end
local l1, l2 = {1, 2, 3, 4, 5}, {"a", "c", "b"}
local a, b = sorter(l1), sorter(l2)
repeat
  if coroutine.status(a) ~= "dead" then assert(coroutine.resume(a)) end
  if coroutine.status(b) ~= "dead" then assert(coroutine.resume(b)) end
until coroutine.status(a) == "dead" and coroutine.status(b) == "dead"
print(table.concat(l1, " "), table.concat(l2, " "))
-- An error after a yield inside the comparator.
co = coroutine.create(function() table.sort({3, 2, 1}, function() coroutine.yield("y") error("from comparator", 0) end) end)
print(coroutine.resume(co))
print(coroutine.resume(co))
-- A suspended sort can be closed and collected.
co = sorter {3, 2, 1}
coroutine.resume(co)
print(coroutine.close(co), coroutine.status(co))
--> sorted	true
--> 1 2 3 5 7 8 9	true
--> 5 4 3 2 1	c b a
--> true	y
--> false	from comparator
--> true	dead
