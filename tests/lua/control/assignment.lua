-- Multiple assignment: adjustment, evaluation order that can be relied on, swaps, and conflicts.
local a, b, c = 1, 2
print(a, b, c)
a, b = b, a
print(a, b)
a, b, c = (function() return 10, 20, 30 end)()
print(a, b, c)
a, b, c = 0, (function() return 1, 2, 3 end)()
print(a, b, c)
a, b, c = (function() return 1, 2 end)(), 9
print(a, b, c)
a, b = ((function() return 1, 2 end)())
print(a, b)
a = 1, 2, 3
print(a)
-- The table and the key are evaluated before the assignment happens.
do
  local t = {}
  local i = 1
  i, t[i] = i + 1, 20
  print(i, t[1], t[2])
end
do
  local t = {1, 2}
  local old = t
  t, t[1] = {}, "in the old one"
  print(#t, old[1])
end
do
  local t = {x = {y = 1}}
  t.x, t.x.y = "replaced", 5
  print(t.x)
end
do
  local a = {}
  a.b, a.c, a.d = 1, 2
  print(a.b, a.c, a.d)
end
x, y = 1, 2; x, y = y, x
print(x, y)
do local x <const>, y = 1, 2; y = x; print(x, y) end
do local f = function() return 1, 2, 3 end
  local t = {f(), f(), (f())}
  print(#t)
  t = {f(), nil, f()}
  print(select("#", table.unpack(t, 1, 5)))
  t = {[1] = "a", "b", n = 1, "c"}
  print(t[1], t[2], t.n)
end
local i = 3
i, i = 1, 2
print(i == 1 or i == 2)
--> 1	2	nil
--> 2	1
--> 10	20	30
--> 0	1	2
--> 1	9	nil
--> 1	nil
--> 1
--> 2	20	nil
--> 0	in the old one
--> replaced
--> 1	2	nil
--> 2	1
--> 1	1
--> 3
--> 5
--> b	c	1
--> true
