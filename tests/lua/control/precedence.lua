-- Operator precedence and associativity.
print(2 + 3 * 4 ^ 2 / 2, (2 + 3) * 4, 2 ^ 3 ^ 2, -2 ^ 2, (-2) ^ 2, 2 ^ -1)
print(1 .. 2 .. 3, "a" .. 1 + 2 .. "b", not 1 == 2, not (1 == 2))
print(1 + 1 == 2 and 3 < 4, 1 < 2 == true, "x" < "y" == not false)
print(5 - 3 - 1, 100 / 10 / 5, 7 // 2 // 2, 10 % 4 % 3, 2 * 3 % 4)
print(1 << 1 + 1, 1 | 2 ~ 3 & 4, 5 & 6 == 4 and 1 or 0 | 1, 3 & 2 << 1)
print(#"abc" + 1, -#"abc", not #"", - - -1, ~ ~ 5, -~1, ~-1)
print(2 * -3, 2 - -3, 2 ^ -2, -3 % 5, -(3 % 5))
print(1 .. -1, 2 .. 2 ^ 2)
print(false and nil or true, nil or false and true, (nil or true) and false)
print(1 < 2 and 2 < 3, 1 == 1 ~= false)
local t = {f = function(x) return x end, g = {h = 5}}
print(-t.f(2) ^ 2, t.g.h ^ 2, #t.f"abc" * 2, not t.nothing)
--> 26.0	20	512.0	-4.0	4.0	0.5
--> 123	a3b	false	true
--> true	true	true
--> 1	2.0	1	2	2
--> 4	3	1	0
--> 4	-3	false	-1	5	2	0
--> -6	5	0.25	2	-3
--> 1-1	24.0
--> true	false	false
--> true	true
--> -4.0	25.0	6	true
