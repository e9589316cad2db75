-- encode and decode of string.buffer. The bytes are those of LuaJIT's documentation of the format.
local buffer = require "string.buffer"
local function hex(s) return (s:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
print(hex(buffer.encode(nil)), hex(buffer.encode(false)), hex(buffer.encode(true)), hex(buffer.encode(ngx.null)))
print(hex(buffer.encode("abc")), hex(buffer.encode("")), hex(buffer.encode({})), hex(buffer.encode(2.5)), hex(buffer.encode(7)))
print(hex(buffer.encode({ "a", "b" })), hex(buffer.encode({ x = "y" })), hex(buffer.encode({ "a", x = "y" })))
print(hex(buffer.encode(("x"):rep(0xdf - 0x20)):sub(1, 1)), hex(buffer.encode(("x"):rep(0xe0 - 0x20)):sub(1, 2)))
print(hex(buffer.encode(("x"):rep(0x1fdf - 0x20)):sub(1, 2)), hex(buffer.encode(("x"):rep(0x1fe0 - 0x20)):sub(1, 5)))
local t = buffer.decode(buffer.encode({ 1, -2.5, 1e300, { a = { b = { "c" } } }, n = ngx.null, [1.5] = false, s = ("z"):rep(10000) }))
print(t[1], t[2], t[3], t[4].a.b[1], t.n == ngx.null, t[1.5], #t.s)
print(buffer.decode("\10\3\32\33a\33b")[0], buffer.decode("\6\254\255\255\255"))
for _, bytes in ipairs({ "", "\7\0", "\32x", "\255\255\255\255\255", "\12\3\1", "\9\1\0\1", "\16", "\14", "\9" }) do
  print(hex(bytes), pcall(buffer.decode, bytes))
end
print(pcall(buffer.encode, print))
print(pcall(buffer.decode, 5))
local deep = {}
for _ = 1, 99 do deep = { deep } end
print(#buffer.encode(deep), pcall(buffer.encode, { deep }))
print(pcall(buffer.decode, ("\12\2"):rep(101) .. "\8"))
--> 00	01	02	03
--> 23616263	20	08	070000000000000440	0607000000
--> 0c0321612162	090121782179	0d0201216121782179
--> df	e000
--> feff	ffe01f0000
--> 1	-2.5	1e+300	c	true	false	10000
--> 	-2
--> 	false	unexpected end of buffer
--> 0700	false	unexpected end of buffer
--> 2078	false	left-over data in buffer
--> ffffffffff	false	unexpected end of buffer
--> 0c0301	false	unexpected end of buffer
--> 09010001	false	cannot deserialize tag 0x00
--> 10	false	cannot deserialize tag 0x10
--> 0e	false	cannot deserialize tag 0x0e
--> 09	false	unexpected end of buffer
--> false	cannot serialize 'function'
--> false	bad argument #1 to 'decode' (string expected, got number)
--> 199	false	too deep to serialize
--> false	too deep to serialize
