-- Named vararg tables: the same values as `...`, the field n, what makes a real table of them, errors.
-- dialect: 5.5
local function virtual(a, ...t) return t.n, t[1], t[2], t[3], t[-1], t[1.0], t.x, t["n"], select("#", ...) end
print(virtual(1, "a", nil, "c"))
print(virtual(1))
local function written(...t) t[1] = "new"; t.n = 2; return ... end
print(written(1, 2, 3))
print(written())
local function passed(...t) return #t, next(t), t == t, type(t) end
print(passed(5))
local function captured(...t) return function() return t.n, t[1] end end
print(captured(7, 8)())
local function grown(...t) t.n = 5; t[5] = "five"; return ... end
print(grown(1))
local function env(..._ENV) return n end
print(env(1, 2, 3))
for _, n in ipairs{-1, 1 << 40, 1.0, "2", false} do
  print(pcall(function(...t) t.n = n; return ... end))
end
print(pcall(function(...t) t.n = nil; return ... end))
print(load "return function(...t) t = 1 end")
print(load "return function(...t) return function() t = 1 end end")
print(load "return function(..., t) end")
print(load "return function(... 5) end")
print((function(...t) local s = 0; for i = 1, t.n do s = s + t[i] end; return s end)(1, 2, 3, 4))
print(pcall(function(...t) return t:missing() end))
print(pcall(function(...t) return t.missing.field end))
print((function(...t) return t[{}], t[nil], t[0/0] end)(1))
local co = coroutine.wrap(function(...t) coroutine.yield(t[1]); return t[2], ... end)
print(co(1, 2), co())
--> 3	a	nil	c	nil	a	nil	3	3
--> 0	nil	nil	nil	nil	nil	nil	0	0
--> new	2
--> new	nil
--> 1	1	true	table
--> 2	7
--> 1	nil	nil	nil	five
--> 3
--> false	dialects/5.5/varargs.lua:18: vararg table has no proper 'n'
--> false	dialects/5.5/varargs.lua:18: vararg table has no proper 'n'
--> false	dialects/5.5/varargs.lua:18: vararg table has no proper 'n'
--> false	dialects/5.5/varargs.lua:18: vararg table has no proper 'n'
--> false	dialects/5.5/varargs.lua:18: vararg table has no proper 'n'
--> false	dialects/5.5/varargs.lua:20: vararg table has no proper 'n'
--> nil	[string "return function(...t) t = 1 end"]:1: attempt to assign to const variable 't'
--> nil	[string "return function(...t) return function() t = 1..."]:1: attempt to assign to const variable 't'
--> nil	[string "return function(..., t) end"]:1: ')' expected near ','
--> nil	[string "return function(... 5) end"]:1: ')' expected near '5'
--> 10
--> false	dialects/5.5/varargs.lua:26: attempt to call a nil value (method 'missing')
--> false	dialects/5.5/varargs.lua:27: attempt to index a nil value
--> nil	nil	nil
--> 1	2	1	2
