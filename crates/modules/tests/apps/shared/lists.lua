local d = ngx.shared.list
print(d:lpop("l"), d:rpop("l"), d:llen("l"))
print(d:lpush("l", "b"), d:lpush("l", "a"), d:rpush("l", 3.5))
print(d:llen("l"))
print(d:get("l"))
print(d:get_stale("l"))
print(d:incr("l", 1))
print(d:lpop("l"), d:rpop("l"), d:lpop("l"), d:lpop("l"))
print(d:llen("l"), d:get("l"))
d:set("s", "x")
print(d:lpush("s", 1))
print(d:rpop("s"))
print(d:llen("s"))
-- A list expires as a whole.
print(d:rpush("t", 1), d:expire("t", 0.01))
ngx.sleep(0.015)
print(d:llen("t"), d:rpush("t", 2), d:lpop("t"))
-- set writes over a list; add does not.
d:rpush("u", 1)
print(d:add("u", 1))
print(d:set("u", "value"), d:get("u"))
-- As a queue, over many chunks.
local sum = 0
for i = 1, 1000 do d:rpush("q", i) end
for i = 1, 1000 do sum = sum + d:lpop("q") * (i % 2 == 0 and 1 or -1) end
print(sum, d:llen("q"))
-- When there is no room, pushing evicts nothing.
local n, err = 0
repeat
  local len
  len, err = d:lpush("full", string.rep("x", 1000))
  n = len or n
until not len
print(n, err, d:llen("full") == n, d:get("s"), d:free_space() < 1100)
print(d:delete("full"), d:lpush("full", 1))
--> nil	nil	0
--> 1	2	3
--> 3
--> nil	value is a list
--> nil	value is a list
--> nil	not a number
--> a	3.5	b	nil
--> 0	nil
--> nil	value not a list
--> nil	value not a list
--> nil	value not a list
--> 1	true
--> 0	1	2
--> false	exists	false
--> true	value
--> 500	0
--> 240	no memory	true	x	true
--> true	1
