-- Big integers as tables of digits: schoolbook multiplication, addition, factorials, powers, digits of e.
local n = tonumber((...)) or 480
local BASE = 10000

local function multiply(a, b)
  local out = {}
  for i = 1, #a + #b do out[i] = 0 end
  for i = 1, #a do
    local carry, x = 0, a[i]
    for j = 1, #b do
      local v = out[i + j - 1] + x * b[j] + carry
      local digit = v % BASE
      out[i + j - 1] = digit
      carry = (v - digit) / BASE
    end
    out[i + #b] = out[i + #b] + carry
  end
  if out[#out] == 0 then out[#out] = nil end
  return out
end
local function multiply_small(a, k)
  local carry = 0
  for i = 1, #a do
    local v = a[i] * k + carry
    a[i] = v % BASE
    carry = (v - a[i]) / BASE
  end
  while carry > 0 do
    a[#a + 1] = carry % BASE
    carry = (carry - carry % BASE) / BASE
  end
end
local function add(a, b)
  local out, carry = {}, 0
  for i = 1, math.max(#a, #b) do
    local v = (a[i] or 0) + (b[i] or 0) + carry
    if v >= BASE then out[i], carry = v - BASE, 1 else out[i], carry = v, 0 end
  end
  if carry > 0 then out[#out + 1] = carry end
  return out
end
local function show(a)
  local parts = { string.format("%d", a[#a]) }
  for i = #a - 1, 1, -1 do parts[#parts + 1] = string.format("%04d", a[i]) end
  return table.concat(parts)
end

local factorial = { 1 }
for i = 2, n * 4 do multiply_small(factorial, i) end
local power = { 7 }
for i = 1, 11 do power = multiply(power, power) end
local square = multiply(factorial, factorial)
local a, b = { 0 }, { 1 }
for i = 1, n * 15 do a, b = b, add(a, b) end
local digits = show(square)
print(#digits, digits:sub(1, 20), show(power):sub(-20), show(a):sub(1, 30))
