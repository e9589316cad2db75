-- Sizes and positions at the ends of their ranges overflow nothing.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
for _, f in ipairs {
  function() return string.packsize("c9223372036854775807c10") end,
  function() return string.pack("c9223372036854775807", "x") end,
  function() return string.packsize(("c2147483647"):rep(3)) end,
  function() return string.pack("c2147483647", "x") end,
  function() return string.unpack("c2147483647", "x") end,
  function() return string.unpack("s8", ("\255"):rep(16)) end,
  function() return string.unpack("z", "abc", math.mininteger) end,
  function() return string.unpack("i4", "abcd", math.maxinteger) end,
} do
  print((pcall(f)))
end
print(string.packsize(("i16"):rep(1000)), #string.pack(("x"):rep(1000)))
--> false
--> false
--> false
--> false
--> false
--> false
--> false
--> false
--> 16000	1000
