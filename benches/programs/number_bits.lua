-- needs: 5.3
-- Bitwise operators on 32 and 64 bits: a hash in the manner of SHA-256, CRC-32 by table, xorshift, population counts.
local n = tonumber((...)) or 3000

local K, H = {}, {}
local seed = 0x9E3779B97F4A7C15
for i = 1, 64 do
  seed = seed * 6364136223846793005 + 1442695040888963407
  K[i] = seed >> 32
end
for i = 1, 8 do H[i] = K[i] ~ 0xA5A5A5A5 end
local function rotate(x, by) return (x >> by | x << (32 - by)) & 0xffffffff end
local function block(words)
  for i = 17, 64 do
    local a, b = words[i - 15], words[i - 2]
    local s0 = rotate(a, 7) ~ rotate(a, 18) ~ (a >> 3)
    local s1 = rotate(b, 17) ~ rotate(b, 19) ~ (b >> 10)
    words[i] = (words[i - 16] + s0 + words[i - 7] + s1) & 0xffffffff
  end
  local a, b, c, d, e, f, g, h = table.unpack(H)
  for i = 1, 64 do
    local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
    local choice = (e & f) ~ (~e & g)
    local t1 = h + s1 + choice + K[i] + words[i]
    local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
    local majority = (a & b) ~ (a & c) ~ (b & c)
    h, g, f, e, d, c, b, a = g, f, e, (d + t1) & 0xffffffff, c, b, a, (t1 + s0 + majority) & 0xffffffff
  end
  local out = { a, b, c, d, e, f, g, h }
  for i = 1, 8 do H[i] = (H[i] + out[i]) & 0xffffffff end
end
for round = 1, n do
  local words = {}
  for i = 1, 16 do words[i] = (round * i * 2654435761) & 0xffffffff end
  block(words)
end

local crc_table = {}
for i = 0, 255 do
  local c = i
  for _ = 1, 8 do c = c & 1 == 1 and 0xEDB88320 ~ (c >> 1) or c >> 1 end
  crc_table[i] = c
end
local crc = 0xffffffff
local text = ("the same words again "):rep(10)
for round = 1, n do
  for i = 1, #text do crc = crc_table[(crc ~ text:byte(i)) & 0xff] ~ (crc >> 8) end
end

local x, bits = 88172645463325252, 0
for i = 1, n * 200 do
  x = x ~ x << 13
  x = x ~ x >> 7
  x = x ~ x << 17
  local v = x & 0xffff
  while v ~= 0 do
    v = v & v - 1
    bits = bits + 1
  end
end
print(string.format("%08x %08x %08x %d", H[1], H[8], ~crc & 0xffffffff, bits))
