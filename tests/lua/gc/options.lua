-- collectgarbage: every option, its result, and bad ones.
-- stress: skip, that mode collects although the collector is stopped
print(collectgarbage(), collectgarbage("collect"))
print(math.type(collectgarbage("count")), collectgarbage("count") > 0)
print(collectgarbage("isrunning"), collectgarbage("stop"), collectgarbage("isrunning"))
print(collectgarbage("restart"), collectgarbage("isrunning"))
print(type(collectgarbage("step")), type(collectgarbage("step", 100)))
collectgarbage("incremental")
print(collectgarbage("incremental"), collectgarbage("incremental"))
print(collectgarbage("generational"), collectgarbage("incremental"))
print(type(collectgarbage("setpause", 200)), type(collectgarbage("setstepmul", 200)))
print(pcall(collectgarbage, "nonsense"))
print(pcall(collectgarbage, 5))
print(pcall(collectgarbage, {}))
-- Memory really comes back.
local before = collectgarbage("count")
local t = {}
for i = 1, 20000 do t[i] = {i} end
local full = collectgarbage("count")
t = nil
collectgarbage()
local after = collectgarbage("count")
print(full - before > 500, after < full - 500)
-- A collector that is stopped does nothing; steps by hand finish a cycle.
collectgarbage("stop")
local weak = setmetatable({{}}, {__mode = "v"})
for i = 1, 1000 do local _ = {} end
print(weak[1] ~= nil)
repeat local done = collectgarbage("step", 1000) until done
repeat local done = collectgarbage("step", 1000) until done
print(weak[1])
collectgarbage("restart")
--> 0	0
--> float	true
--> true	0	false
--> 0	true
--> boolean	boolean
--> incremental	incremental
--> incremental	generational
--> number	number
--> false	bad argument #1 to 'collectgarbage' (invalid option 'nonsense')
--> false	bad argument #1 to 'collectgarbage' (invalid option '5')
--> false	bad argument #1 to 'collectgarbage' (string expected, got table)
--> true	true
--> true
--> nil
