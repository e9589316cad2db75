-- Tail calls keep the stack flat, also through methods, pcall'd functions and __call.
local function loop(n) if n == 0 then return "done" end return loop(n - 1) end
print(loop(1000000))
local even, odd
function even(n) if n == 0 then return true end return odd(n - 1) end
function odd(n) if n == 0 then return false end return even(n - 1) end
print(even(500001))
local object = {}
function object:down(n, ...) if n == 0 then return select("#", ...) end return self:down(n - 1, ...) end
print(object:down(300000, 1, nil, 3))
local callable = setmetatable({}, {__call = function(self, n) if n == 0 then return "called" end return self(n - 1) end})
print(callable(200000))
local function vararg(...) local n = ... if n == 0 then return ... end return vararg(n - 1, select(2, ...)) end
print(vararg(1000, "a", "b"))
print(pcall(function() return error("from a tail call", 0) end))
print((function() return (function() return 1, 2, 3 end)() end)())
local function cps(n, k) if n == 0 then return k(0) end return cps(n - 1, function(x) return k(x + 1) end) end
print(cps(1000, function(x) return x end))
-- Captured variables are closed before a tail call reuses the frame.
local saved
local function capture(n) local x = n saved = function() x = x + 1 return x end return (function(a, b, c) return a end)(1, 2, 3) end
capture(41) print(saved())
local t = debug.traceback("trace"):gsub("\n.*", "")
print(t)
print(coroutine.wrap(function() return loop(100000) end)())
--> done
--> false
--> 3
--> called
--> 0	a	b
--> false	from a tail call
--> 1	2	3
--> 1000
--> 42
--> trace
--> done
