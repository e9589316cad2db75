-- Memoized functions: numbers, strings and pairs of numbers as keys; edit distance and partitions.
local n = tonumber((...)) or 18

local function memoize(f)
  local known = {}
  return function(x)
    local y = known[x]
    if y == nil then
      y = f(x)
      known[x] = y
    end
    return y
  end
end

local function fibonacci_of(modulus)
  local fib
  fib = memoize(function(k) if k < 2 then return k end return (fib(k - 1) + fib(k - 2)) % modulus end)
  return fib
end

local function distance(a, b)
  local known = {}
  local function d(i, j)
    if i == 0 then return j end
    if j == 0 then return i end
    local key = i * 1000 + j
    local v = known[key]
    if v then return v end
    if a:byte(i) == b:byte(j) then v = d(i - 1, j - 1)
    else v = 1 + math.min(d(i - 1, j), d(i, j - 1), d(i - 1, j - 1)) end
    known[key] = v
    return v
  end
  return d(#a, #b)
end

local function partitions(total)
  local known = {}
  local function p(k, largest)
    if k == 0 then return 1 end
    if k < 0 or largest == 0 then return 0 end
    local key = k .. "/" .. largest
    local v = known[key]
    if not v then
      v = p(k - largest, largest) + p(k, largest - 1)
      known[key] = v
    end
    return v
  end
  return p(total, total)
end

local sum = 0
for round = 1, n do
  sum = sum + fibonacci_of(1000000007)(3000)
  sum = sum + distance(("kitten sitting on a mat "):rep(4), ("sitting kitten at the mall "):rep(4))
  sum = sum + partitions(100)
end
for round = 1, n * 20000 do
  local name = memoize(string.upper)
  sum = sum + #name("abc") + #name("abc")
end
print(string.format("%d", sum))
