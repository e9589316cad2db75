-- Recursion: Ackermann (deep), Takeuchi (wide), mutual recursion, tail calls, hanoi.
local n = tonumber((...)) or 11

local function ackermann(m, k)
  if m == 0 then return k + 1 end
  if k == 0 then return ackermann(m - 1, 1) end
  return ackermann(m - 1, ackermann(m, k - 1))
end

local function tak(x, y, z)
  if y >= x then return z end
  return tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y))
end

local is_even, is_odd
function is_even(k) if k == 0 then return true end return is_odd(k - 1) end
function is_odd(k) if k == 0 then return false end return is_even(k - 1) end

local function depth(k) if k == 0 then return 0 end return 1 + depth(k - 1) end

local moves = 0
local function hanoi(k, from, to, by)
  if k == 0 then return end
  hanoi(k - 1, from, by, to)
  moves = moves + 1
  hanoi(k - 1, by, to, from)
end

local sum = 0
for i = 1, 10 do
  if is_even(10000 * n + i) then sum = sum + 1 end
  sum = sum + depth(1500 * n)
end
hanoi(n + 9, "a", "b", "c")
print(string.format("%d %d %d %d", ackermann(2, 80 * n), tak(2 * n + 2, n + 4, n - 3), sum, moves))
