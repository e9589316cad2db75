-- <const>: folded or not, captured, and never assignable.
local a <const> = 10
local b <const> = a * 2
local name <const>, other = "n", "o"
print(a, b, name, other)
local t <const> = {1}
t[1] = 2
print(t[1])
local function f() return a + b, name end
print(f())
local nothing <const> = nil
local yes <const>, no <const> = true, false
print(nothing, yes, no, yes and not no)
local pi <const> = 3.14159
print(pi * 2, -a, ~a, a // 3, a .. name, #name)
for i = 1, 2 do local square <const> = i * i io.write(square, " ") end print()
local function bad(source) print(select(2, load(source, "=src"))) end
bad "local x <const> = 1; x = 2"
bad "local x <const> = 1; function x() end"
bad "local x <const> = 1; local function f() x = 2 end"
bad "local x <close> = nil; x = 2"
bad "local x <const>; for x = 1, 2 do end x, y = 1"
bad "local x <unknown> = 1"
bad "local x<const>, y<close>, z<close> = 1"
if a == 10 then print("ten") end
if a < 5 or b > 15 then print("compared") end
while no do end
local c <const>, d <const> = (function() return 1, 2 end)()
print(c, d)
local e <const> = ...
print(e)
--> 10	20	n	o
--> 2
--> 30	n
--> nil	true	false	true
--> 6.28318	-10	-11	3	10n	1
--> 1 4 
--> src:1: attempt to assign to const variable 'x'
--> src:1: attempt to assign to const variable 'x'
--> src:1: attempt to assign to const variable 'x'
--> src:1: attempt to assign to const variable 'x'
--> src:1: attempt to assign to const variable 'x'
--> src:1: unknown attribute 'unknown'
--> src:1: multiple to-be-closed variables in local list
--> ten
--> compared
--> 1	2
--> nil
