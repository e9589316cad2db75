-- The generic for: iterators, state, control, the closing value, and early exits.
local function iterator(n)
  return function(limit, i) i = i + 1 if i <= limit then return i, i * i end end, n, 0
end
for i, square in iterator(4) do io.write(i, "=", square, " ") end print()
for k in next, {a = 1} do print(k) end
for k, v in next, {10, 20, 30} do io.write(k, ":", v, " ") end print()
for i, v in ipairs {1, 2, nil, 4} do io.write(i, ":", tostring(v), " ") end print()
-- The control variable is a copy.
for i in iterator(3) do local j = i; i = 100; io.write(j, " ") end print()
-- More and fewer variables than values.
for a, b, c in iterator(1) do print(a, b, c) end
-- The fourth value is closed, at the end, at break, on error and on return.
local function closing(n, name)
  local f, s, c = iterator(n)
  return f, s, c, setmetatable({}, {__close = function(_, e) print("close " .. name, e) end})
end
for i in closing(2, "at end") do io.write(i, " ") end
for i in closing(2, "at break") do break end
print(pcall(function() for i in closing(2, "on error") do error("oops", 0) end end))
print((function() for i in closing(2, "on return") do return "returned" end end)())
for i in closing(1, "on goto") do goto done end
::done::
for i in (function() return nil end) do print("never") end
-- Callable objects as iterators.
local object = setmetatable({n = 3}, {__call = function(self, _, i) i = (i or 0) + 1 if i <= self.n then return i end end})
for i in object do io.write(i, " ") end print()
-- Iterating over a string's matches inside nested loops.
for word in ("a b c"):gmatch("%a") do for digit in ("1 2"):gmatch("%d") do io.write(word, digit, " ") end end print()
--> 1=1 2=4 3=9 4=16 
--> a
--> 1:10 2:20 3:30 
--> 1:1 2:2 
--> 1 2 3 
--> 1	1	nil
--> 1 2 close at end	nil
--> close at break	nil
--> close on error	oops
--> false	oops
--> close on return	nil
--> returned
--> close on goto	nil
--> 1 2 3 
--> a1 a2 b1 b2 c1 c2 
