local lrucache = require "resty.lrucache"
print(lrucache.new(0))
print(pcall(lrucache.new, "x"))
local c = lrucache.new(3)
print(c:capacity(), c:count(), c:get("a"))
local value = { 1, 2 }
c:set("a", value)
c:set("b", false)
c:set(3, print)
print(c:get("a") == value, c:get("b"), c:get(3) == print, c:count())
print(select(2, c:get("a")), select(3, c:get("a")))
-- The least recently used one makes room: that is b.
c:get("a") c:get(3)
c:set("d", "D")
print(c:get("b"), c:get("d"), c:count())
print(table.concat(c:get_keys(), " "), table.concat(c:get_keys(2), " "), table.concat(c:get_keys(0), " "))
local res = { "x", "x", "x", "x", "x" }
print(c:get_keys(1, res) == res, res[1], res[2], res[3])
-- Expiry: the stale value is the second result.
c:set("t", "T", 0.01, 9)
print(c:get("t"))
ngx.sleep(0.015)
print(c:get("t"))
c:set("t", "T2")
print(c:get("t"))
c:set("t", "T3", nil, -1)
print(c:get("t"))
-- Deleting.
print(c:delete("t"), c:delete("t"), c:get("t"), c:count())
c:set("e", "E")
c:set("f", "F")
print(c:count(), table.concat(c:get_keys(), " "))
c:set("nothing", nil)
print(c:get("nothing"), c:count())
print(pcall(c.set, c, nil, 1))
print(pcall(c.set, c, 0 / 0, 1))
print(c:get(nil), c:delete(nil))
c:flush_all()
print(c:count(), c:get("f"), #c:get_keys())
c:set("g", "G")
print(c:get("g"), c:count(), c:capacity())
-- Every key is found, however many come and go.
local big, bad = lrucache.new(100), 0
for i = 1, 5000 do
  big:set(i, i)
  if i % 7 == 0 then big:delete(i - 3) end
  if big:get(i) ~= i or big:count() > 100 then bad = bad + 1 end
  if i > 100 and big:get(i - 150) then bad = bad + 1 end
end
print(bad, big:count(), #big:get_keys(), big:get_keys()[1])
print(pcall(function() lrucache.new = nil end))

-- Keys of pureffi are strings.
local pureffi = require "resty.lrucache.pureffi"
local p = pureffi.new(2, 0.5)
p:set(1, "one")
print(p:get("1"), p:get(1))
p:set(nil, "none")
print(p:get("nil"), p:count())
p:set("x", nil, nil, 4)
print(p:get("x"))
print(p:get("1"), p:delete(nil), p:delete("x"), p:count())
--> nil	size too small
--> false	resty.lrucache:34: attempt to compare string with number
--> 3	0	nil
--> true	false	true	3
--> nil	0
--> nil	D	3
--> d 3 a	d 3	d 3 a
--> true	d	nil	x
--> T	nil	9
--> nil	T	9
--> T2	nil	0
--> T3	nil	0
--> true	false	nil	2
--> 3	f e d
--> nil	3
--> false	table index is nil
--> false	table index is NaN
--> nil	false
--> 0	nil	0
--> G	1	3
--> 0	100	100	5000
--> false	lrucache.lua:51: attempt to modify a read-only table
--> one	one	nil	0
--> none	2
--> nil	nil	4
--> nil	true	true	0
