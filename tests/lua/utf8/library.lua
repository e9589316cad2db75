-- utf8: char, charpattern, codes, codepoint, len, offset; strict and lax; errors.
print(utf8.char(), utf8.char(72, 228, 8364, 128512), #utf8.char(0x7F, 0x80, 0x7FF, 0x800, 0xFFFF, 0x10000, 0x10FFFF, 0x7FFFFFFF))
print(utf8.charpattern == "[\0-\x7F\xC2-\xFD][\x80-\xBF]*")
local s = "aä€😀"
print(utf8.len(s), #s, utf8.len(""), utf8.len(s, 2), utf8.len(s, -4), utf8.len(s, 1, 1), utf8.len(s, 3), utf8.len("\xff"), utf8.len("ab\x80c"), utf8.len("abc", 4), utf8.len("abc", 2, 1))
for p, c in utf8.codes(s) do io.write(p, ":", c, " ") end print()
print(utf8.codepoint(s, 1, -1))
print(utf8.codepoint(s), utf8.codepoint(s, 2), utf8.codepoint(s, -4), select("#", utf8.codepoint(s, 3, 2)))
print(utf8.offset(s, 1), utf8.offset(s, 3), utf8.offset(s, 5), utf8.offset(s, 6), utf8.offset(s, -1), utf8.offset(s, -2), utf8.offset(s, 0, 3), utf8.offset(s, 0, 1), utf8.offset(s, 2, 2), utf8.offset("", 1), utf8.offset("", 0), utf8.offset("abc", 0, 4))
for c in s:gmatch(utf8.charpattern) do io.write("[", c, "]") end print()
print(utf8.len("\u{D7FF}"), utf8.len("\xed\xa0\x80"), utf8.len("\xed\xa0\x80", 1, -1, true), utf8.len("\u{7FFFFFFF}", 1, -1, true), utf8.len("\u{7FFFFFFF}"), utf8.len("\xc0\x80"), utf8.len("\xe0\x80\x80"), utf8.len("\xf4\x90\x80\x80"))
print(pcall(utf8.codepoint, "\xff")) print(pcall(utf8.codepoint, s, 100))
print(pcall(utf8.codepoint, s, 3)) print(pcall(utf8.len, s, 100))
print(pcall(utf8.len, s, 1, 100)) print(pcall(utf8.offset, s, 1, 3))
print(pcall(utf8.offset, s, 1, 100)) print(pcall(utf8.char, -1))
print(pcall(utf8.char, 0x80000000))
print(pcall(function() for _ in utf8.codes("ab\xff") do end end))
print(pcall(utf8.codepoint, "\u{110000}")) print(utf8.codepoint("\u{110000}", 1, 1, true))
local t = {} for _, c in utf8.codes("héllo wörld", true) do t[#t + 1] = utf8.char(c) end
print(#t, table.concat(t, "|"))
print(utf8.char(utf8.codepoint("日本語", 1, -1)) == "日本語", ("日本語"):sub(utf8.offset("日本語", 2), utf8.offset("日本語", 3) - 1))
print(utf8.len(("é"):rep(1000)), utf8.offset(("é"):rep(1000), 501))
--> 	Hä€😀	25
--> true
--> 4	10	0	3	1	1	nil	nil	nil	0	0
--> 1:97 2:228 4:8364 7:128512 
--> 97	228	8364	128512
--> 97	228	128512	0
--> 1	4	11	nil	7	4	2	1	4	1	1	4
--> [a][ä][€][😀]
--> 1	nil	1	1	nil	nil	nil	nil	1
--> false	invalid UTF-8 code
--> false	bad argument #3 to 'utf8.codepoint' (out of bounds)
--> false	invalid UTF-8 code
--> false	bad argument #2 to 'utf8.len' (initial position out of bounds)
--> false	bad argument #3 to 'utf8.len' (final position out of bounds)
--> false	initial position is a continuation byte
--> false	bad argument #3 to 'utf8.offset' (position out of bounds)
--> false	bad argument #1 to 'utf8.char' (value out of range)
--> false	bad argument #1 to 'utf8.char' (value out of range)
--> false	utf8/library.lua:17: invalid UTF-8 code
--> false	invalid UTF-8 code
--> 1114112
--> 11	h|é|l|l|o| |w|ö|r|l|d
--> true	本
--> 1000	1001
