-- Arbitrary precision with metamethods: factorials, powers, Fibonacci numbers, comparisons.
local Big = {}
Big.__index = Big
local BASE, WIDTH = 10000000, 7
local function new(digits) return setmetatable(digits, Big) end
local function big(x)
  if getmetatable(x) == Big then return x end
  local s, d = tostring(x), {}
  for i = #s, 1, -WIDTH do d[#d + 1] = tonumber(s:sub(math.max(1, i - WIDTH + 1), i)) end
  return new(d)
end
function Big.__add(a, b)
  a, b = big(a), big(b)
  local r, carry = {}, 0
  for i = 1, math.max(#a, #b) do
    local s = (a[i] or 0) + (b[i] or 0) + carry
    r[i], carry = s % BASE, s // BASE
  end
  if carry > 0 then r[#r + 1] = carry end
  return new(r)
end
function Big.__mul(a, b)
  a, b = big(a), big(b)
  local r = {}
  for i = 1, #a + #b do r[i] = 0 end
  for i = 1, #a do
    local carry = 0
    for j = 1, #b do
      local s = r[i + j - 1] + a[i] * b[j] + carry
      r[i + j - 1], carry = s % BASE, s // BASE
    end
    r[i + #b] = r[i + #b] + carry
  end
  while #r > 1 and r[#r] == 0 do r[#r] = nil end
  return new(r)
end
function Big.__pow(a, n)
  local r = big(1)
  a = big(a)
  while n > 0 do
    if n & 1 == 1 then r = r * a end
    a, n = a * a, n >> 1
  end
  return r
end
function Big.__eq(a, b) return tostring(a) == tostring(b) end
function Big.__lt(a, b)
  a, b = big(a), big(b)
  if #a ~= #b then return #a < #b end
  for i = #a, 1, -1 do if a[i] ~= b[i] then return a[i] < b[i] end end
  return false
end
function Big.__le(a, b) return not (b < a) end
function Big.__len(a) return #tostring(a) end
function Big.__concat(a, b) return tostring(a) .. tostring(b) end
function Big.__tostring(a)
  local out = {tostring(a[rawlen(a)])}
  for i = rawlen(a) - 1, 1, -1 do out[#out + 1] = ("%07d"):format(a[i]) end
  return table.concat(out)
end
-- Inside, `#` must be raw: __len counts decimal digits.
local mt = Big
do
  local add, mul, lt = mt.__add, mt.__mul, mt.__lt
  local len = mt.__len
  local function raw(f) return function(a, b) mt.__len = nil local r = f(a, b) mt.__len = len return r end end
  mt.__add, mt.__mul, mt.__lt = raw(add), raw(mul), raw(lt)
end
local function factorial(n) local r = big(1) for i = 2, n do r = r * i end return r end
print(factorial(30)) print(#factorial(100), tostring(factorial(100)):sub(1, 20))
local a, b = big(0), big(1)
for _ = 1, 300 do a, b = b, a + b end
print(a) print(big(2) ^ 200) print(big(2) ^ 64 == big "18446744073709551616", big(5) < big(7), big(10) ^ 20 <= big(10) ^ 19)
print("2^70 = " .. big(2) ^ 70 .. "!")
--> 265252859812191058636308480000000
--> 158	93326215443944152681
--> 222232244629420445529739893461909967206666939096499764990979600
--> 1606938044258990275541962092341162602522202993782792835301376
--> true	true	false
--> 2^70 = 1180591620717411303424!
