-- What pcall and xpcall return, where it goes, and what comes after them.
local function show(...) print(select("#", ...), ...) end
local function values(...) return ... end
local function none() end
local function handler(e) return "handled: " .. tostring(e) end

show(pcall(none)) show(pcall(values)) show(pcall(values, 1)) show(pcall(values, 1, nil, 3, nil))
show(xpcall(none, handler)) show(xpcall(values, handler, 1, nil)) show(xpcall(values, print))
show(pcall(function(a, b) return b, a end, 1)) show(pcall(function(a, ...) return ..., a end, 1, 2, 3))

-- As many results as are wanted.
pcall(values, 1, 2)
local a = pcall(values, 1, 2)
local b, c = pcall(values, 1, 2)
local d, e, f, g = pcall(values, 1, 2)
show(a, b, c, d, e, f, g)
show((pcall(values, 1)), (xpcall(values, handler, 1)))

-- Inside one another, by tail calls, through values that can be called.
show(pcall(pcall, pcall, values, 1, 2)) show(pcall(pcall, error, "plain"))
local function tail(...) return pcall(...) end
show(tail(values, 1, 2)) show(tail(error, "plain", 0)) show(pcall(function(...) return values(...) end, 1, 2))
local callable = setmetatable({}, { __call = function(self, x) return x, self ~= nil end })
show(pcall(callable, 1)) show(xpcall(callable, handler, 2)) show(callable(3)) show(tail(callable, 4))

-- Errors, and a handler that is none.
show(pcall(error)) show(pcall(error, nil)) show(pcall(error, "message", 0)) show(xpcall(error, handler, "message", 0))
show(pcall(xpcall)) show(pcall(xpcall, values)) show(pcall(pcall)) show(pcall(nil))
show(xpcall(function() local t = nil; return t.x end, function() return "once" end))

-- Yields, and errors after them.
local co = coroutine.wrap(function(...)
  show("inside", pcall(function(...)
    local x = coroutine.yield(...)
    local y = coroutine.yield(x)
    return x, y
  end, ...))
  show("inside", pcall(function() error(coroutine.yield("again"), 0) end))
  show("inside", xpcall(function() error(coroutine.yield("more"), 0) end, handler))
  return "end"
end)
show(co(1, 2)) show(co(3)) show(co(4)) show(co("late")) show(co("later"))

-- Far too deep, and out of it again.
local function deep(n) local ok, r = pcall(function() return n == 0 and "bottom" or select(2, deep(n - 1)) end) return ok, r end
show(deep(150))
local function endless() return 1 + endless() end
local ok, message = pcall(endless)
show(ok, message:match("stack overflow"))
--> 1	true
--> 1	true
--> 2	true	1
--> 5	true	1	nil	3	nil
--> 1	true
--> 3	true	1	nil
--> 1	true
--> 3	true	nil	1
--> 3	true	2	1
--> 7	true	true	1	true	1	2	nil
--> 2	true	true
--> 5	true	true	true	1	2
--> 3	true	false	plain
--> 3	true	1	2
--> 2	false	plain
--> 3	true	1	2
--> 3	true	1	true
--> 3	true	2	true
--> 2	3	true
--> 3	true	4	true
--> 2	false	nil
--> 2	false	nil
--> 2	false	message
--> 2	false	handled: message
--> 2	false	bad argument #2 to 'xpcall' (function expected, got no value)
--> 2	false	bad argument #2 to 'xpcall' (function expected, got no value)
--> 2	false	bad argument #1 to 'pcall' (value expected)
--> 2	false	attempt to call a nil value
--> 2	false	once
--> 2	1	2
--> 1	3
--> 4	inside	true	3	4
--> 1	again
--> 3	inside	false	late
--> 1	more
--> 3	inside	false	handled: later
--> 1	end
--> 2	true	bottom
--> 2	false	stack overflow
