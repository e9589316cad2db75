-- Constructors of more entries than one instruction stores: what they hold, how they go on, and that their cost is that of the list.
-- stress: skip, the collections count against its limit
-- flags: --max-instructions 60000000
local function made(n)
  local p = {} for i = 1, n do p[i] = i end
  return load("return {" .. table.concat(p, ",") .. "}")
end
for _, n in ipairs { 49, 50, 51, 255, 256, 257, 300, 1000, 5000, 70000, 270000 } do
  local t = made(n)()
  local count = 0
  for k, v in pairs(t) do count = count + 1 assert(k == v) end
  t[n + 1] = "next"
  print(n, #t, count, t[n], t[n + 1], t[n + 2])
end
print(#{ 1, 2, 3, (made(300)()) }, select("#", table.unpack(made(300)())), #{ table.unpack(made(3000)()) })
--> 49	50	49	49	next	nil
--> 50	51	50	50	next	nil
--> 51	52	51	51	next	nil
--> 255	256	255	255	next	nil
--> 256	257	256	256	next	nil
--> 257	258	257	257	next	nil
--> 300	301	300	300	next	nil
--> 1000	1001	1000	1000	next	nil
--> 5000	5001	5000	5000	next	nil
--> 70000	70001	70000	70000	next	nil
--> 270000	270001	270000	270000	next	nil
--> 4	300	3000
