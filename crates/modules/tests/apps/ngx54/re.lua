-- ngx.re where numbers are integers and floats.
local ctx = {pos = 2.0}
print(ngx.re.match("a1b22", "(\\d)+", "jo", ctx)[0], ctx.pos)
print(ngx.re.match("a1b22", "(\\d)+", "jo", ctx)[0], ctx.pos)
print(ngx.re.find(12.5, "\\.(5)", nil, nil, 1))
print(ngx.re.gsub("abc", "\\w", 1.0))
print(ngx.re.gsub("abc", "b", function(m) return #m[0] end))
for m in ngx.re.gmatch("k=v, a=b", "(?<key>\\w)=(?<value>\\w)") do print(m.key, m.value, m[2]) end
print(table.concat(require "ngx.re".split("a, b,c", ",\\s*"), "|"))
print(pcall(ngx.re.gsub, "a", "a", "a", "z"))
--> 1	3
--> 22	6
--> 4	4
--> 1.01.01.0	3
--> a1c	1
--> k	v	v
--> a	b	b
--> a|b|c
--> false	unknown flag "z" (flags "z")
