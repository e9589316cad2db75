-- needs: 5.3
-- string.pack and unpack: records of integers of several sizes, floats, strings with a length and with a zero.
local n = tonumber((...)) or 130000

local sum = 0
local records = {}
for i = 1, n do
  records[i % 1000 + 1] = string.pack("<I4 i2 B d s1 z", i, -(i % 3000), i % 256, i / 8, "name" .. i % 10, "end")
  if i % 1000 == 0 then
    for j = 1, 1000 do
      local id, small, byte, number, name, last, next_at = string.unpack("<I4 i2 B d s1 z", records[j])
      sum = sum + id + small + byte + number + #name + #last + next_at
    end
  end
end
local stream = {}
for i = 1, n do stream[i] = string.pack(">I3", i * 7 % 0x1000000) end
local bytes, at = table.concat(stream), 1
while at <= #bytes do
  local value
  value, at = string.unpack(">I3", bytes, at)
  sum = sum + value
end
print(string.format("%.3f %d", sum, string.packsize("<I4 i2 B d")))
