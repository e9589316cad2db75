-- Names, reserved words as fields, and tokens that touch each other.
local _, _a, A1, camelCase = 1, 2, 3, 4
print(_, _a, A1, camelCase)
local t = {["end"] = 1, ["while"] = 2, self = 3}
print(t["end"], t["while"], t.self)
print(#"a".."b".."c")
print(2-1, 2 - -1, - - 2, not not nil)
print(1 ..2)
print(3//2*2, 7%4^2)
local s = "x"..'y'..[[z]]
print(s)
print((("x"):rep(3)))
print(("%d"):format(3), #{1,2,3,}, #{1;2;3;})
;;; print("semicolons") ;
do local goto_ = 1; print(goto_) end
print(type(nil)=='nil', 'a'<'b', 'a'<'B', 'Z'<'a', ''<'a', 'a\0b'<'a\0c')
local f = function(...) return select('#', ...) end
print(f"str", f{}, f[[x]], (f{1,2}))
--> 1	2	3	4
--> 1	2	3
--> 1bc
--> 1	3	2	false
--> 12
--> 2	7.0
--> xyz
--> xxx
--> 3	3	3
--> semicolons
--> 1
--> true	true	false	true	true	true
--> 1	1	1	1
