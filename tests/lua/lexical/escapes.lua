-- Escape sequences in short strings, each shown by its bytes.
local function bytes(s)
  print(#s, table.concat({s:byte(1, -1)}, " "))
end
bytes("\a\b\f\n\r\t\v\\\"\'")
bytes('\'"')
bytes("\0\00\000\0001")
bytes("\65\066\255\9x")
bytes("\x41\x7f\xFF\x00g")
bytes("\u{48}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{7FFFFFFF}")
bytes("a\z
       b\z   c")
bytes("line\
next")
bytes("é→")
print("tab\tquote\"end")
print(#"\z
      ")
--> 10	7 8 12 10 13 9 11 92 34 39
--> 2	39 34
--> 5	0 0 0 0 49
--> 5	65 66 255 9 120
--> 5	65 127 255 0 103
--> 19	72 223 191 224 160 128 239 191 191 240 144 128 128 253 191 191 191 191 191
--> 3	97 98 99
--> 9	108 105 110 101 10 110 101 120 116
--> 5	195 169 226 134 146
--> tab	quote"end
--> 0
