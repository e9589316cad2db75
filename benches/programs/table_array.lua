-- An array of a million entries: append, read forwards and backwards, reverse in place, prefix sums, a sieve of booleans.
local n = tonumber((...)) or 1000000

local t = {}
for i = 1, n do t[i] = i * 7 % 1000 end
local sum = 0
for i = 1, #t do sum = sum + t[i] end
for i = #t, 1, -3 do sum = sum - t[i] end
local i, j = 1, n
while i < j do
  t[i], t[j] = t[j], t[i]
  i, j = i + 1, j - 1
end
for k = 2, n do t[k] = (t[k] + t[k - 1]) % 65536 end
local marked = {}
for k = 1, n do marked[k] = true end
for k = 2, n do
  if k * k > n then break end
  if marked[k] then for m = k * k, n, k do marked[m] = false end end
end
local primes = 0
for k = 2, n do if marked[k] then primes = primes + 1 end end
local appended = {}
for k = 1, n do appended[#appended + 1] = k end
print(string.format("%d %d %d %d", sum, t[n], primes, #appended))
