local lock = require "resty.lock"
print(lock:new("none"))
local a, b = lock:new("locks"), lock:new("locks", { timeout = 0.02, exptime = 0.3 })
print(a.timeout, a.exptime, a.step, a.ratio, a.max_step)
print(b.timeout, b.exptime)
print(a:lock(nil))
print(a:unlock())
print(a:expire(1))
print(a:lock("k"), ngx.shared.locks:get("k"))
print(a:lock("other"))
local elapsed, err = b:lock("k")
print(elapsed, err)
print(a:unlock(), ngx.shared.locks:get("k"))
print(a:unlock())
print(b:lock("k"))
print(b:expire(5), ngx.shared.locks:ttl("k") > 4)
print(b:expire(), ngx.shared.locks:ttl("k") <= 0.3)
-- Whoever waits gets it when it is free; how long that took is the sum of the steps.
local waiter = ngx.thread.spawn(function()
  local mine = lock:new("locks", { step = 0.01, ratio = 1 })
  local elapsed = mine:lock("k")
  return elapsed > 0 and elapsed < 1, mine:unlock()
end)
ngx.sleep(0.02)
print(b:unlock(), ngx.thread.wait(waiter))
-- At once, or not at all.
local c = lock:new("locks", { timeout = 0 })
print(a:lock("k"), c:lock("k"))
-- A lock whose time is over can be taken, and is not given back by the one that had it.
local short = lock:new("locks", { exptime = 0.01 })
print(short.timeout, short:lock("s"))
ngx.sleep(0.015)
print(c:lock("s"), short:expire(1))
print(short:unlock(), ngx.shared.locks:get("s"))
print((pcall(lock.new, lock, "locks", { exptime = -1 })))
print(pcall(lock.lock, lock:new("locks", { exptime = -1 }), "x"))
print(lock:new("locks"):lock(string.rep("k", 65536)))
print(lock:new("locks"):lock(""))
-- One that nobody has any more is given back when it is collected.
lock:new("locks"):lock("lost")
print(ngx.shared.locks:get("lost"))
collectgarbage() collectgarbage()
print(ngx.shared.locks:get("lost"))
--> nil	dictionary not found
--> 5	30	0.001	2	0.5
--> 0.02	0.3
--> nil	nil key
--> nil	unlocked
--> nil	unlocked
--> 0	true
--> nil	locked
--> nil	timeout
--> 1	nil
--> nil	unlocked
--> 0
--> true	true
--> true	true
--> 1	true	true	1
--> 0	nil	timeout
--> 5	0
--> 0	true
--> 1	nil
--> true
--> false	resty.lock:34: bad "exptime" argument
--> nil	key too long
--> nil	empty key
--> true
--> nil
