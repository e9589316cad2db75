-- resty.limit.req: what is there is delayed or rejected as in lua-resty-limit-traffic.
local limit = require "resty.limit.req"
print(limit.new("nowhere", 1, 1))
print(pcall(limit.new, "limits", 0, 1))
-- Two in a second, and one more that waits.
local lim = limit.new("limits", 2, 1)
print(lim:incoming("key", true))
local delay, excess = lim:incoming("key", true)
print(delay > 0.4 and delay <= 0.5, excess > 0.9 and excess <= 1)
print(lim:incoming("key", true))
print(lim:uncommit("key"), lim:uncommit("other"))
delay = lim:incoming("key", false)
print(delay > 0.3 and delay <= 0.5)
-- Without a commit nothing is counted.
print((lim:incoming("key", false)) <= delay)
lim:set_rate(1000)
lim:set_burst(0)
ngx.sleep(0.01)
print((lim:incoming("key", true)))
ngx.shared.limits:set("taken", 5)
print(lim:incoming("taken", true))
print(#ngx.shared.limits:get("key"))
--> nil	shared dict not found
--> false	resty.limit.req:12: assertion failed!
--> 0	0
--> true	true
--> nil	rejected
--> true	nil	not found
--> true
--> true
--> 0
--> nil	shdict abused by other users
--> 16
