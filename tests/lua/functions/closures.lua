-- Captured variables: shared, private, assigned before and after capture.
local function counter()
  local n = 0
  return function() n = n + 1 return n end, function() return n end, function(v) n = v end
end
local inc, get, set = counter()
local inc2 = counter()
print(inc(), inc(), get(), inc2(), get()) set(10) print(get(), inc())
-- Never assigned after capture.
local function adder(a) return function(b) return a + b end end
print(adder(1)(2), adder(10)(20))
-- Assigned after the closure is made.
local x = 1
local function seex() return x end
x = 2
print(seex())
-- Assigned before its own closure: recursion through a local.
local fact
fact = function(n) if n <= 1 then return 1 end return n * fact(n - 1) end
print(fact(10))
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(15))
-- Parameters and varargs tables captured.
local function params(a, b) local function swap() a, b = b, a end swap() return a, b end
print(params(1, 2))
-- Several levels deep.
local function deep()
  local v = 0
  return function() return function() return function() v = v + 1 return v end end end
end
local d = deep()
print(d()()(), d()()(), d()()())
-- A closure that captures a loop's limit and one that captures itself in a table.
local self = {}
self.me = function() return self end
print(self.me().me() == self)
-- Initialisers see the outer variable of the same name.
local x = x + 1
print(x)
do local x = x * 2 print(x) end
print(x)
-- Two closures, one assigned variable, one that never changes.
local function pair(constant, variable)
  return function() return constant + variable end, function(v) variable = v end
end
local read, write = pair(100, 1)
write(5) print(read())
-- An upvalue assigned only in a nested function.
local function lazy() local value local function compute() value = value or {} return value end return compute, function() return value end end
local compute, peek = lazy()
print(peek(), compute() == compute(), peek() ~= nil)
--> 1	2	2	1	2
--> 10	11
--> 3	30
--> 2
--> 3628800
--> 610
--> 2	1
--> 1	2	3
--> true
--> 3
--> 6
--> 3
--> 105
--> nil	true	true
