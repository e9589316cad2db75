local semaphore = require "ngx.semaphore"
local s = semaphore.new()
print(s:count(), s:wait(0))
print(s:post(2), s:count(), s:wait(0), s:wait(10), s:count())
print(s:wait(0.001))
print(s:wait("0.001"))
print(s:count())

-- As in its documentation.
local done = {}
local function handler(id)
  local ok, err = s:wait(1)
  done[#done + 1] = id .. (ok and " ok" or " " .. err)
end
local a, b = ngx.thread.spawn(handler, "a"), ngx.thread.spawn(handler, "b")
print("count:", s:count())
s:post(1)
print("count:", s:count())
s:post(2)
print("count:", s:count(), #done)
ngx.thread.wait(a) ngx.thread.wait(b)
print(table.concat(done, ", "), s:count())
s:wait(0)

-- One that is killed while it waits loses nothing, whether its resource is on the way or not.
local x, y = ngx.thread.spawn(handler, "x"), ngx.thread.spawn(handler, "y")
s:post(1)
print("kill:", ngx.thread.kill(x))
print(ngx.thread.wait(y), done[#done], s:count())
local z = ngx.thread.spawn(handler, "z")
print(s:count(), ngx.thread.kill(z))
ngx.sleep(0.001)
print(s:count())
print(s:post(), s:count(), s:wait(0))

-- Timeouts.
local t = ngx.thread.spawn(function() return s:wait(0.01) end)
print(s:count(), ngx.thread.wait(t))
print(s:count())

print(semaphore.new(3):count(), semaphore.new("2"):count(), semaphore.new({}):count())
print(pcall(function() semaphore.new(-1) end))
print(pcall(function() s:wait() end))
print(pcall(function() s:wait(-1) end))
print(pcall(function() s.wait({}, 1) end))
print(pcall(function() s.post(1, 1) end))
print(pcall(function() semaphore.count() end))
print(pcall(function() s:post(0) end))
print(pcall(function() s:post(-1) end))
--> 0	nil	timeout
--> true	2	true	true	0
--> false	timeout
--> false	timeout
--> 0
--> count:	-2
--> count:	-1
--> count:	1	0
--> a ok, b ok	1
--> kill:	1
--> true	y ok	0
--> -1	1
--> 0
--> true	1	true
--> -1	true	false	timeout
--> 0
--> 3	2	0
--> false	semaphore.lua:42: no negative number
--> false	semaphore.lua:43: bad argument #1 to 'wait' (number expected, got no value)
--> false	semaphore.lua:44: no negative number
--> false	semaphore.lua:45: not a semaphore instance
--> false	semaphore.lua:46: not a semaphore instance
--> false	semaphore.lua:47: not a semaphore instance
--> false	semaphore.lua:48: positive number required
--> false	semaphore.lua:49: positive number required
