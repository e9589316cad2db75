-- needs: 5.3
-- Integer division and modulo: greatest common divisors, modular powers, digits, calendar days, Collatz, integer for loops.
local n = tonumber((...)) or 250000

local function gcd(a, b)
  while b ~= 0 do a, b = b, a % b end
  return a
end
local function power(base, exponent, modulus)
  local result = 1
  base = base % modulus
  while exponent > 0 do
    if exponent & 1 == 1 then result = result * base % modulus end
    base = base * base % modulus
    exponent = exponent >> 1
  end
  return result
end
local function digits(v)
  local sum = 0
  while v > 0 do
    sum = sum + v % 10
    v = v // 10
  end
  return sum
end
local function days(y, m, d)
  if m <= 2 then y, m = y - 1, m + 12 end
  return 365 * y + y // 4 - y // 100 + y // 400 + (153 * (m - 3) + 2) // 5 + d
end

local sum = 0
for i = 1, n do
  sum = sum + gcd(i * 36, 48000 + i) + digits(i * 99991)
  if i % 8 == 0 then sum = sum + power(i, 65537, 1000003) end
  sum = sum + days(1900 + i % 200, i % 12 + 1, i % 28 + 1) % 7
  sum = sum + -i // 7 + -i % 7
end
local longest = 0
for start = 1, n // 4 do
  local x, steps = start, 0
  while x ~= 1 do
    if x % 2 == 0 then x = x // 2 else x = 3 * x + 1 end
    steps = steps + 1
  end
  longest = math.max(longest, steps)
end
local wrapped = 1
for i = 1, n * 5 do wrapped = wrapped * 31 + i end
print(sum, longest, wrapped)
