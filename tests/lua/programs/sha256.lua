-- SHA-256 over 64-bit integers masked to 32 bits.
local function rotate(x, n) return ((x >> n) | (x << (32 - n))) & 0xffffffff end
local K, primes = {}, {}
do
  local n = 2
  while #primes < 64 do
    local prime = true
    for _, p in ipairs(primes) do
      if p * p > n then break end
      if n % p == 0 then prime = false break end
    end
    if prime then primes[#primes + 1] = n end
    n = n + 1
  end
  for i, p in ipairs(primes) do K[i] = math.floor((p ^ (1 / 3) % 1) * 2 ^ 32) end
end
local function sha256(message)
  local length = #message
  message = message .. "\x80" .. ("\0"):rep((55 - length) % 64) .. string.pack(">I8", length * 8)
  local h = {}
  for i = 1, 8 do h[i] = math.floor((math.sqrt(primes[i]) % 1) * 2 ^ 32) end
  for chunk = 1, #message, 64 do
    local w = {string.unpack((">I4"):rep(16), message, chunk)}
    for i = 17, 64 do
      local a, b = w[i - 15], w[i - 2]
      local s0 = rotate(a, 7) ~ rotate(a, 18) ~ (a >> 3)
      local s1 = rotate(b, 17) ~ rotate(b, 19) ~ (b >> 10)
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) & 0xffffffff
    end
    local a, b, c, d, e, f, g, hh = table.unpack(h)
    for i = 1, 64 do
      local s1 = rotate(e, 6) ~ rotate(e, 11) ~ rotate(e, 25)
      local t1 = hh + s1 + ((e & f) ~ (~e & g)) + K[i] + w[i]
      local s0 = rotate(a, 2) ~ rotate(a, 13) ~ rotate(a, 22)
      local t2 = s0 + ((a & b) ~ (a & c) ~ (b & c))
      hh, g, f, e = g, f, e, (d + t1) & 0xffffffff
      d, c, b, a = c, b, a, (t1 + t2) & 0xffffffff
    end
    for i, v in ipairs {a, b, c, d, e, f, g, hh} do h[i] = (h[i] + v) & 0xffffffff end
  end
  return (("%08x"):rep(8)):format(table.unpack(h))
end
print(sha256(""))
print(sha256("abc"))
print(sha256(("a"):rep(1000)))
--> e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
--> ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
--> 41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3
