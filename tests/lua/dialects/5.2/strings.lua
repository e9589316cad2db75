-- The string library of 5.2: patterns, formats, conversions.
-- dialect: 5.2
print(("abc"):sub(1.9), ("abc"):sub(-1.9), ("abc"):byte(1.5), ("x"):rep(2.7))
print(("abc"):find("", 4), ("abc"):find("b", -10))
print(pcall(string.format, "%y", 1)) print(pcall(string.format, "%d", "x"))
print(pcall(string.format, "%d", 1.5), pcall(string.format, "%d", "10"), string.format("%5.1f|%-5d|%05d|%+d|% d", 1.25, 3, 42, 7, 8))
print(string.format("%q", 'a"b\\c\nd')) print(string.format("%q", 12))
print(string.format("%i %u %5.2s|%-5s|%.0s|", 3, 4, "abc", "de", "zz"), string.format("%o %x %X %#x", 8, 255, 255, 255), string.format("%e %g %G", 12345.678, 1e20, 1e-10))
print(pcall(string.format, "%--------d", 1)) print(pcall(string.format, "%123d", 1)) print(pcall(string.format, "%1.123d", 1)) print(pcall(string.format, "%d"))
print(pcall(string.char, 256)) print(pcall(string.char, -1)) print(string.char(65.9, 66), #string.char(), ("x"):rep(-1) == "")
print(pcall(string.find, "a", "[a")) print(pcall(string.find, "a", "%")) print(pcall(string.find, "a", "(a")) print(pcall(string.find, "a", "a)"))
print(pcall(string.gsub, "a", "a", "%2")) print(pcall(string.gsub, "abc", "b", {b = true})) print(pcall(string.gsub, "abc", "b", true)) print(pcall(string.find, "a", "%f")) print(pcall(string.find, "a", "%b"))
print(("THE (quick) fox"):find("%f[%a]%a+%f[%A]"), pcall(string.gsub, "abc", "%w", "%0%1"))
-- A match may end where the one before it ended.
for w in ("abc"):gmatch("%w*") do io.write("[", w, "]") end print()
print(("abc"):gsub("%w*", "x")) print(("hello world"):gsub("o*", "-")) print(("abc"):gsub("", "-")) print(("a b c"):gsub("%s*", "_", 3))
for w in ("^a^a"):gmatch("^a") do io.write("[", w, "]") end print()
for k, v in ("a=1, b=2"):gmatch("(%w+)=(%w+)") do io.write(k, v, " ") end print()
print(("x\0y"):find("%z"), ("x\0y\0"):gsub("%z", "0"), ("a\0b"):len(), #"\0", ("%Z"):rep(2), ("ab\0"):match("%Z+"))
print(("abc"):upper(), ("ABC"):lower(), ("abc"):reverse(), ("x"):byte(2), ("abc"):byte(1, -1), ("abc"):sub(2, 10), ("abc"):sub(0), ("abc"):sub(-100, 2))
print("10" + 5, "0x10" * 2, "3" ^ 2, -"2", "5" % 3, 10 .. 20, "1e1" / "4", pcall(function() return "a" + 1 end))

print(("abc"):find("", 10), string.gfind, pcall(string.gsub, "abc", "b", "%x")) print(string.format("%q", "a\0b\r\0011"))
print(pcall(string.format, "%x", -1)) print(pcall(string.format, "%d", 1e20)) print(pcall(string.format, "%s", nil)) print(string.format("%s %s", nil, setmetatable({}, {__tostring = function() return "ts" end})), ("x"):rep(3, ","), string.format("%a", 1), string.format("%c%c", 65, 0) == "A\0")
--> abc	c	97	xx
--> 4	2	2
--> false	invalid option '%y' to 'format'
--> false	bad argument #2 to 'string.format' (number expected, got string)
--> true	true	  1.2|3    |00042|+7| 8
--> "a\"b\\c\
--> d"
--> "12"
--> 3 4    ab|de   ||	10 ff FF 0xff	1.234568e+04 1e+20 1E-10
--> false	invalid format (repeated flags)
--> false	invalid format (width or precision too long)
--> false	invalid format (width or precision too long)
--> false	bad argument #2 to 'string.format' (no value)
--> false	bad argument #1 to 'string.char' (value out of range)
--> false	bad argument #1 to 'string.char' (value out of range)
--> AB	0	true
--> false	malformed pattern (missing ']')
--> false	malformed pattern (ends with '%')
--> false	unfinished capture
--> true	nil
--> false	invalid capture index
--> false	invalid replacement value (a boolean)
--> false	bad argument #3 to 'string.gsub' (string/function/table expected)
--> false	missing '[' after '%f' in pattern
--> false	malformed pattern (missing arguments to '%b')
--> 1	true	aabbcc	3
--> [abc][]
--> xx	2
--> -h-e-l-l-- -w--r-l-d-	12
--> -a-b-c-	4
--> _a__b c	3
--> [^a][^a]
--> a1 b2 
--> 2	x0y0	3	1	%Z%Z	ab
--> ABC	abc	cba	nil	97	bc	abc	ab
--> 15	32	9	-2	2	1020	2.5	false	dialects/5.2/strings.lua:21: attempt to perform arithmetic on a string value
--> nil	nil	false	invalid use of '%' in replacement string
--> "a\0b\13\0011"
--> false	bad argument #2 to 'string.format' (not a non-negative number in proper range)
--> false	bad argument #2 to 'string.format' (not a number in proper range)
--> true	nil
--> nil ts	x,x,x	0x1p+0	true
