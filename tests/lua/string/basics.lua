-- len, sub, upper, lower, reverse, rep, byte, char and their corner cases.
local s = "hello"
for _, r in ipairs {{2, 4}, {-3, -1}, {2}, {-2}, {0}, {10}, {2, 100}, {-100, 2}, {3, 2}, {0, 0}, {-1, -5}, {math.mininteger, math.maxinteger}, {math.maxinteger, math.mininteger}} do io.write("[", s:sub(table.unpack(r)), "] ") end
print()
print(s:len(), #s, (""):len(), ("a\0b"):len(), s:upper(), ("MiXeD"):lower(), s:reverse(), (""):reverse(), ("ÀÉ"):upper() == "ÀÉ")
print(s:rep(2), s:rep(0), s:rep(-1), s:rep(3, ","), s:rep(1, ","), (""):rep(1000), ("x"):rep(0, "sep"), #(""):rep(5, "ab"))
print(s:byte(), s:byte(2), s:byte(-1), s:byte(10), s:byte(1, 3), s:byte(-2, -1), s:byte(3, 2), select("#", s:byte(10)), select("#", (""):byte(1, -1)))
print(string.char(), string.char(72, 105), #string.char(0, 1, 255), pcall(string.char, 256), pcall(string.char, -1))
print(#("x"):rep(1e6), ("ab"):rep(3, "--"))
print(pcall(string.rep, "x", 1 << 62), pcall(string.rep, "ab", math.maxinteger))
print(("x"):rep(3.0), ("10" + 5) .. "", 10 .. "", #tostring(12345), ("a"):byte() == 97, "\65" == "A")
print("a" < "b", "a" < "a\0", "Z" < "a", "" < "a", "a" < "B", "10" < "9", "a\0b" < "a\0c", not ("b" < "a"), "a" <= "a", "b" >= "a")
local parts = {} for i = 1, 300 do parts[#parts + 1] = string.char(i % 256) end
local joined = table.concat(parts)
print(#joined, joined:byte(256), joined:byte(300), #joined:reverse(), joined:reverse():byte(1))
print(("abc"):len(), ("%5s"):format("x"), ("x"):find("x"), ("x y"):match("%s") == " ")
print(tostring("str") == "str", rawequal("ab", "a" .. "b"), rawlen("four"), "a" .. "b" == "ab", ("x"):rep(100) == ("x"):rep(50) .. ("x"):rep(50))
local t = {} t[("k"):rep(100)] = 1 print(t[("k"):rep(100)], t[("k"):rep(99)])
--> [ell] [llo] [ello] [lo] [hello] [] [ello] [he] [] [] [] [hello] [] 
--> 5	5	0	3	HELLO	mixed	olleh		true
--> hellohello			hello,hello,hello	hello			8
--> 104	101	111	nil	104	108	nil	0	0
--> 	Hi	3	false	false	bad argument #1 to 'string.char' (value out of range)
--> 1000000	ab--ab--ab
--> false	false	resulting string too large
--> xxx	15	10	5	true	true
--> true	true	true	true	false	true	true	true	true	true
--> 300	0	44	300	44
--> 3	    x	1	true
--> true	true	4	true	true
--> 1	nil
