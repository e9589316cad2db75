-- The name of a chunk ends at its first zero byte, be it the source itself.
print(load("x = = \0"))
print(load("\0x\n", "a\0b"))
print(load("x=", "=a\0b"))
local f = load("return debug.getinfo(1, 'S')", "@a\0b")()
print(#f.source, f.short_src)
f = load("return debug.getinfo(1, 'S') --\0 ")()
print(#f.source, f.short_src)
--> nil	[string "x = = "]:1: unexpected symbol near '='
--> nil	[string "a"]:1: unexpected symbol
--> nil	a:1: unexpected symbol near <eof>
--> 2	a
--> 31	[string "return debug.getinfo(1, 'S') --"]
