-- Values, flags, keys: what goes in comes out.
local d = ngx.shared.cache
-- The other files of this app have used it too.
d:flush_all() d:flush_expired()
print(type(ngx.shared), type(d), ngx.shared.none)
print(d:set("s", "text"), d:get("s"))
print(d:set("n", 12.5), d:get("n"))
print(d:set("i", 42), d:get("i"))
print(d:set("b", false), d:get("b"))
print(d:set("e", ""), #d:get("e"))
print(d:set("bytes", "\0\1\255"), #d:get("bytes"))
print(select("#", d:get("s")), select("#", d:get("none")), d:get("none"))
print(d:set("f", "x", 0, 7), d:get("f"))
print(d:set("f", "x", 0, 4294967295), d:get("f"))
print(d:get_stale("f"))
print(d:get_stale("s"))
print(select("#", d:get_stale("none")), d:get_stale("none"))

-- Keys are made strings.
print(d:set(1, "one"), d:get("1"), d:get(1))
print(d:set(1.5, "x"), d:get("1.5"))
print(d:set(true, "yes"), d:get("true"))
print(d:set(setmetatable({}, { __tostring = function() return "object" end }), "o"), d:get("object"))
local long = string.rep("k", 65535)
for _, method in ipairs { "get", "get_stale", "delete", "ttl" } do
  print(method, d[method](d, nil))
  print(method, d[method](d, ""))
  print(method, d[method](d, long .. "k"))
end
for _, method in ipairs { "set", "safe_set", "add", "safe_add", "replace" } do
  print(method, d[method](d, nil, 1))
  print(method, d[method](d, "", 1))
  print(method, d[method](d, long .. "k", 1))
  print(method, d[method](d, "t", {}))
  print(method, d[method](d, "t", print))
  print(method, d[method](d, "t", ngx.null))
  print(method, d[method](d, "nothing", nil))
end
print(ngx.shared.big:set(long, 1), ngx.shared.big:get(long))

-- nil deletes.
print(d:set("s", nil), d:get("s"))
print(d:set("s", "again"), d:delete("s"), d:get("s"))
print(d:delete("never was"))

-- add, replace.
print(d:replace("a", 1))
print(d:add("a", 1))
print(d:add("a", 2))
print(d:safe_add("a", 2))
print(d:replace("a", 3), d:get("a"))
--> table	table	nil
--> true	text
--> true	12.5
--> true	42
--> true	false
--> true	0
--> true	3
--> 1	1	nil
--> true	x	7
--> true	x	-1
--> x	-1	false
--> text	nil	false
--> 1	nil
--> true	one	one
--> true	x
--> true	yes
--> true	o
--> get	nil	nil key
--> get	nil	empty key
--> get	nil	key too long
--> get_stale	nil	nil key
--> get_stale	nil	empty key
--> get_stale	nil	key too long
--> delete	nil	nil key
--> delete	nil	empty key
--> delete	nil	key too long
--> ttl	nil	nil key
--> ttl	nil	empty key
--> ttl	nil	key too long
--> set	nil	nil key
--> set	nil	empty key
--> set	nil	key too long
--> set	nil	bad value type
--> set	nil	bad value type
--> set	nil	bad value type
--> set	true	nil	false
--> safe_set	nil	nil key
--> safe_set	nil	empty key
--> safe_set	nil	key too long
--> safe_set	nil	bad value type
--> safe_set	nil	bad value type
--> safe_set	nil	bad value type
--> safe_set	true	nil	false
--> add	nil	nil key
--> add	nil	empty key
--> add	nil	key too long
--> add	nil	bad value type
--> add	nil	bad value type
--> add	nil	bad value type
--> add	false	attempt to add or replace nil values	false
--> safe_add	nil	nil key
--> safe_add	nil	empty key
--> safe_add	nil	key too long
--> safe_add	nil	bad value type
--> safe_add	nil	bad value type
--> safe_add	nil	bad value type
--> safe_add	false	attempt to add or replace nil values	false
--> replace	nil	nil key
--> replace	nil	empty key
--> replace	nil	key too long
--> replace	nil	bad value type
--> replace	nil	bad value type
--> replace	nil	bad value type
--> replace	false	attempt to add or replace nil values	false
--> true	1
--> true	nil
--> true	true	nil
--> true	nil	false
--> false	not found	false
--> true	nil	false
--> false	exists	false
--> false	exists	false
--> true	3
