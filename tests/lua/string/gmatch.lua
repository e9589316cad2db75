-- gmatch: captures, empty matches, anchors, init, reuse.
local function all(s, p, init) local t = {} for a, b in s:gmatch(p, init) do t[#t + 1] = tostring(a) .. (b and "/" .. tostring(b) or "") end return #t .. ": " .. table.concat(t, " ") end
print(all("one two  three", "%a+")) print(all("k=v, a=b", "(%w+)=(%w+)"))
print(all("abc", "")) print(all("abc", "()")) print(all("", "")) print(all("", "x"))
print(all("aXbX", "[^X]*")) print(all("aaa", "a-")) print(all("hello", "l"))
print(all("abc", "^a")) print(all("^a^a", "^a"))
print(all("one two", "%a+", 3)) print(all("one two", "%a+", -2))
print(all("abc", ".", 10)) print(all("abc", ".", -10)) print(all("a,b,,c,", "([^,]*),?"))
print(all("THE (quick) fox", "%f[%a]%a+")) print(all("x(y(z))(w)", "%b()")) print(all("1,2;3", "(%d)([,;]?)"))
local it = ("a b"):gmatch("%a") print(it(), it(), it(), it())
for k, v in ("a=1, b=2"):gmatch("(%w)=(%d)") do for c in ("xy"):gmatch(".") do io.write(k, v, c, " ") end end print()
print(pcall(string.gmatch, "x")) print(pcall(string.gmatch("x", "[")))
local count = 0 for _ in ("a"):rep(10000):gmatch("a") do count = count + 1 end print(count)
--> 3: one two three
--> 2: k/v a/b
--> 4:    
--> 4: 1 2 3 4
--> 1: 
--> 0: 
--> 3: a b 
--> 4:    
--> 2: l l
--> 0: 
--> 2: ^a ^a
--> 2: e two
--> 1: wo
--> 0: 
--> 3: a b c
--> 4: a b  c
--> 3: THE quick fox
--> 2: (y(z)) (w)
--> 3: 1/, 2/; 3/
--> a	b	nil
--> a1x a1y b2x b2y 
--> false	bad argument #2 to 'string.gmatch' (string expected, got no value)
--> false	malformed pattern (missing ']')
--> 10000
