local d = ngx.shared.small
print(d:capacity(), d:free_space())
local n = 0
repeat n = n + 1 until not d:safe_set("k" .. n, n)
print(n > 20, d:safe_set("k" .. n, n))
print(d:safe_add("k" .. n, n))
-- The least recently used one goes; k1 has just been used.
print(d:get("k1"), d:set("new", 1))
print(d:get("k1"), d:get("k2"))
print(d:set("new", 2))
print(d:incr("newer", 1, 0))
print(d:get("k3"))
-- What can never fit evicts up to thirty times, and fails.
local before = #d:get_keys()
print(d:set("large", string.rep("x", 5000)))
print(before - #d:get_keys() == math.min(before, 30))
d:flush_all()
d:flush_expired()
print(d:set("large", string.rep("x", 2000)), #d:get("large"))
-- An old value goes first, and stays gone if the new one does not fit.
print(d:safe_set("large", string.rep("x", 5000)))
print(d:get("large"))
--> 4096	4096
--> true	false	no memory	false
--> false	no memory	false
--> 1	true	nil	true
--> 1	nil
--> true	nil	false
--> 1	nil	true
--> nil
--> false	no memory	true
--> true
--> true	2000
--> false	no memory	false
--> nil
