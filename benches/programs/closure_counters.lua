-- Upvalues read and written often: counters, shared state of several closures, variables three functions up.
local n = tonumber((...)) or 2000000

local function counter(start, step)
  local value = start
  return function()
    value = value + step
    return value
  end
end

local function account()
  local balance, deposits, withdrawals = 0, 0, 0
  local function deposit(k) balance = balance + k deposits = deposits + 1 end
  local function withdraw(k) if balance >= k then balance = balance - k withdrawals = withdrawals + 1 end end
  local function report() return balance + deposits - withdrawals end
  return deposit, withdraw, report
end

local function outer()
  local level = 0
  local function middle()
    local function inner(k) level = (level + k) % 1000003 return level end
    return inner
  end
  return middle()
end

local next_up, next_down, bump = counter(0, 1), counter(n, -1), outer()
local deposit, withdraw, report = account()
local a, b, c = 0, 0, 0
for i = 1, n do
  a = next_up()
  b = next_down()
  c = bump(i)
  if i % 2 == 0 then deposit(3) else withdraw(2) end
end
print(string.format("%d %d %d %d", a, b, c, report()))
