-- How methods may be called, and what is refused.
local d = ngx.shared.cache
print(d.get == ngx.shared.locks.get, d.get(d, "x"))
print(ngx.shared.cache.set(ngx.shared.cache, "x", 1), ngx.shared.locks.get(ngx.shared.cache, "x"))
for _, method in ipairs { "get", "set", "incr", "ttl", "expire", "flush_all", "capacity", "free_space" } do
  print(method, pcall(d[method], "x", 1))
  print(method, pcall(d[method], {}, 1))
  print(method, pcall(d[method], { {} }, 1))
end
print(pcall(function() d.get("x") end))
print(pcall(function() d:set("x", 1, -1) end))
print(pcall(function() d:set("x", 1, {}) end))
print(pcall(function() d:set("x", 1, 0, {}) end))
print(pcall(function() d:expire("x") end))
print(pcall(function() d:incr("x", "one") end))
print(pcall(function() d:incr("x") end))
print(pcall(function() d:incr("x", 1, {}) end))
print(pcall(function() d:incr("x", 1, 0, {}) end))
print(pcall(function() d:incr("x", 1, 0, -1) end))
print(pcall(function() d:incr("x", 1, nil, 1) end))
for _, method in ipairs { "lpush", "rpush", "lpop", "rpop", "llen" } do
  local n = method:find("push") and 3 or 2
  local f = function(...) d[method](...) end
  print(method, pcall(f, d))
  print(method, pcall(f, d, "l", 1, 2))
  if n == 3 then
    print(method, pcall(f, "d", "l", 1))
    print(method, pcall(f, {}, "l", 1))
    print(method, pcall(f, d, {}, 1))
    print(method, d[method](d, nil, 1))
    print(method, d[method](d, "", 1))
    print(method, d[method](d, string.rep("k", 65536), 1))
    print(method, d[method](d, "l", true))
  else
    print(method, pcall(f, "d", "l"))
    print(method, pcall(f, {}, "l"))
    print(method, pcall(f, d, {}))
    print(method, d[method](d, nil))
    print(method, d[method](d, ""))
    print(method, d[method](d, string.rep("k", 65536)))
  end
end
for _, method in ipairs { "get_keys", "flush_expired" } do
  local f = function(...) local _ = d[method](...) end
  print(method, pcall(f))
  print(method, pcall(f, d, 1, 2))
  print(method, pcall(f, "d"))
  print(method, pcall(f, {}))
  print(method, pcall(f, d, {}))
  print(method, pcall(f, d, "x"))
end

-- All requests share these tables: none may change them.
print(pcall(function() ngx.shared.mine = {} end))
print(pcall(function() d.get = nil end))
print(pcall(function() d[1] = nil end))
print(pcall(function() getmetatable(d).__index.get = nil end))
print(pcall(setmetatable, d, {}))
--> true	nil
--> true	1
--> get	false	bad "zone" argument
--> get	false	bad "zone" argument
--> get	false	bad "zone" argument
--> set	false	bad "zone" argument
--> set	false	bad "zone" argument
--> set	false	bad "zone" argument
--> incr	false	bad "zone" argument
--> incr	false	bad "zone" argument
--> incr	false	bad "zone" argument
--> ttl	false	bad "zone" argument
--> ttl	false	bad "zone" argument
--> ttl	false	bad "zone" argument
--> expire	false	bad "zone" argument
--> expire	false	bad "zone" argument
--> expire	false	bad "zone" argument
--> flush_all	false	bad "zone" argument
--> flush_all	false	bad "zone" argument
--> flush_all	false	bad "zone" argument
--> capacity	false	bad "zone" argument
--> capacity	false	bad "zone" argument
--> capacity	false	bad "zone" argument
--> free_space	false	bad "zone" argument
--> free_space	false	bad "zone" argument
--> free_space	false	bad "zone" argument
--> false	calls.lua:10: bad "zone" argument
--> false	calls.lua:11: bad "exptime" argument
--> false	calls.lua:12: bad argument #3 to 'set' (number expected, got table)
--> false	calls.lua:13: bad argument #4 to 'set' (number expected, got table)
--> false	calls.lua:14: bad "exptime" argument
--> false	calls.lua:15: bad argument #2 to 'incr' (number expected, got string)
--> false	calls.lua:16: bad argument #2 to 'incr' (number expected, got nil)
--> false	calls.lua:17: bad init arg: number expected, got table
--> false	calls.lua:18: bad init_ttl arg: number expected, got table
--> false	calls.lua:19: bad "init_ttl" argument
--> false	calls.lua:20: must provide "init" when providing "init_ttl"
--> lpush	false	calls.lua:23: expecting 3 arguments, but only seen 1
--> lpush	false	calls.lua:23: expecting 3 arguments, but only seen 4
--> lpush	false	calls.lua:23: bad "zone" argument
--> lpush	false	calls.lua:23: bad "zone" argument
--> lpush	false	calls.lua:23: bad argument #2 to '?' (string expected, got table)
--> lpush	nil	nil key
--> lpush	nil	empty key
--> lpush	nil	key too long
--> lpush	nil	bad value type
--> rpush	false	calls.lua:23: expecting 3 arguments, but only seen 1
--> rpush	false	calls.lua:23: expecting 3 arguments, but only seen 4
--> rpush	false	calls.lua:23: bad "zone" argument
--> rpush	false	calls.lua:23: bad "zone" argument
--> rpush	false	calls.lua:23: bad argument #2 to '?' (string expected, got table)
--> rpush	nil	nil key
--> rpush	nil	empty key
--> rpush	nil	key too long
--> rpush	nil	bad value type
--> lpop	false	calls.lua:23: expecting 2 arguments, but only seen 1
--> lpop	false	calls.lua:23: expecting 2 arguments, but only seen 4
--> lpop	false	calls.lua:23: bad "zone" argument
--> lpop	false	calls.lua:23: bad "zone" argument
--> lpop	false	calls.lua:23: bad argument #2 to '?' (string expected, got table)
--> lpop	nil	nil key
--> lpop	nil	empty key
--> lpop	nil	key too long
--> rpop	false	calls.lua:23: expecting 2 arguments, but only seen 1
--> rpop	false	calls.lua:23: expecting 2 arguments, but only seen 4
--> rpop	false	calls.lua:23: bad "zone" argument
--> rpop	false	calls.lua:23: bad "zone" argument
--> rpop	false	calls.lua:23: bad argument #2 to '?' (string expected, got table)
--> rpop	nil	nil key
--> rpop	nil	empty key
--> rpop	nil	key too long
--> llen	false	calls.lua:23: expecting 2 arguments, but only seen 1
--> llen	false	calls.lua:23: expecting 2 arguments, but only seen 4
--> llen	false	calls.lua:23: bad "zone" argument
--> llen	false	calls.lua:23: bad "zone" argument
--> llen	false	calls.lua:23: bad argument #2 to '?' (string expected, got table)
--> llen	nil	nil key
--> llen	nil	empty key
--> llen	nil	key too long
--> get_keys	false	calls.lua:44: expecting 1 or 2 argument(s), but saw 0
--> get_keys	false	calls.lua:44: expecting 1 or 2 argument(s), but saw 3
--> get_keys	false	calls.lua:44: bad argument #1 to 'get_keys' (table expected, got string)
--> get_keys	false	calls.lua:44: bad user data for the ngx_shm_zone_t pointer
--> get_keys	false	calls.lua:44: bad argument #2 to 'get_keys' (number expected, got table)
--> get_keys	false	calls.lua:44: bad argument #2 to 'get_keys' (number expected, got string)
--> flush_expired	false	calls.lua:44: expecting 1 or 2 argument(s), but saw 0
--> flush_expired	false	calls.lua:44: expecting 1 or 2 argument(s), but saw 3
--> flush_expired	false	calls.lua:44: bad argument #1 to 'flush_expired' (table expected, got string)
--> flush_expired	false	calls.lua:44: bad user data for the ngx_shm_zone_t pointer
--> flush_expired	false	calls.lua:44: bad argument #2 to 'flush_expired' (number expected, got table)
--> flush_expired	false	calls.lua:44: bad argument #2 to 'flush_expired' (number expected, got string)
--> false	calls.lua:54: attempt to modify a read-only table
--> false	calls.lua:55: attempt to modify a read-only table
--> false	calls.lua:56: attempt to modify a read-only table
--> false	calls.lua:57: attempt to modify a read-only table
--> false	attempt to modify a read-only table
