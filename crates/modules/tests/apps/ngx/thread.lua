-- Light threads: they run at once up to their first wait, and are waited for in any order.
local function show(...) print(...) end
local function f(name, delay, ...)
  show(name, "starts", ...)
  ngx.sleep(delay)
  show(name, "ends")
  return name, ...
end
local a = ngx.thread.spawn(f, "a", 0.02, 1, nil, 3)
local b = ngx.thread.spawn(f, "b", 0.001)
show("spawned", type(a), coroutine.status(a), coroutine.status(b))
show("first:", ngx.thread.wait(a, b))
show("again:", ngx.thread.wait(b))
show("second:", ngx.thread.wait(a))

-- An error, of any kind, is the thread's own.
local t = ngx.thread.spawn(function() error("oops") end)
show(ngx.thread.wait(t))
t = ngx.thread.spawn(function() ngx.sleep(0) error({ code = 7 }) end)
local ok, err = ngx.thread.wait(t)
show(ok, type(err), err.code)

-- One that has ended can be waited for, once.
t = ngx.thread.spawn(function() return "at once", 2 end)
show(coroutine.status(t), ngx.thread.wait(t))
show(ngx.thread.wait(t))

-- Killed.
t = ngx.thread.spawn(f, "killed", 10)
show(ngx.thread.kill(t))
show(ngx.thread.kill(t))
show(ngx.thread.wait(t))
t = ngx.thread.spawn(function() end)
show(ngx.thread.kill(t))

-- Only who spawned it may wait for it or kill it.
t = ngx.thread.spawn(f, "mine", 0.001)
local other = ngx.thread.spawn(function()
  show(pcall(ngx.thread.wait, t))
  show(ngx.thread.kill(t))
end)
show(ngx.thread.wait(other))
show(ngx.thread.wait(t))

show(pcall(ngx.thread.wait))
show(pcall(ngx.thread.wait, 5))
show(pcall(ngx.thread.spawn, 5))
show(pcall(ngx.thread.kill, {}))

-- Inside one another, deeper than they are started at once.
local function nest(n)
  if n == 0 then return 0 end
  local ok, depth = ngx.thread.wait(ngx.thread.spawn(nest, n - 1))
  return depth + 1
end
show("nested", nest(50))

-- A yield gives the others a turn.
local order = {}
local function turns(name)
  for i = 1, 3 do order[#order + 1] = name .. i coroutine.yield() end
end
local x, y = ngx.thread.spawn(turns, "x"), ngx.thread.spawn(turns, "y")
ngx.thread.wait(x) ngx.thread.wait(y)
show(table.concat(order, " "))

-- Globals are those of the spawner; coroutines of its own wait as well.
shared = 1
ngx.thread.wait(ngx.thread.spawn(function()
  shared = shared + 1
  local co = coroutine.wrap(function() ngx.sleep(0.001) coroutine.yield(shared) return "end" end)
  show(co(), co())
end))
show(shared)

-- What is left when the first coroutine ends is waited for.
ngx.thread.spawn(f, "late", 0.01)
--> a	starts	1	nil	3
--> b	starts
--> spawned	thread	running	running
--> b	ends
--> first:	true	b
--> again:	nil	already waited or killed
--> a	ends
--> second:	true	a	1	nil	3
--> false	thread.lua:17: oops
--> false	table	7
--> zombie	true	at once	2
--> nil	already waited or killed
--> killed	starts
--> 1
--> nil	already waited or killed
--> nil	already waited or killed
--> nil	already terminated
--> mine	starts
--> false	thread.lua:39: only the parent coroutine can wait on the thread
--> nil	killer not parent
--> true
--> mine	ends
--> true	mine
--> false	thread.lua:45: at least one coroutine should be specified
--> false	thread.lua:46: bad argument #1 to 'wait' (lua thread expected, got number)
--> false	bad argument #1 to 'spawn' (function expected, got number)
--> false	bad argument #1 to 'kill' (lua thread expected, got table)
--> nested	50
--> x1 y1 x2 y2 x3 y3
--> 2	end
--> 2
--> late	starts
--> late	ends
