-- Floats in while and repeat loops: Newton's roots, a series for pi, simulation of a pendulum, collatz by halves, math functions.
local n = tonumber((...)) or 150000

local sum = 0.0
for i = 1, n do
  local x, guess = i * 1.0, i * 0.5
  repeat
    local better = (guess + x / guess) * 0.5
    local change = math.abs(better - guess)
    guess = better
  until change < 1e-9
  sum = sum + guess
end
local pi, sign, k = 0.0, 1.0, 1.0
while k < n * 20 do
  pi = pi + sign / k
  sign = -sign
  k = k + 2.0
end
local angle, speed, t = 1.0, 0.0, 0.0
while t < n / 200 do
  speed = speed - math.sin(angle) * 0.001
  angle = angle + speed * 0.001
  t = t + 0.001
end
local longest = 0
for start = 1, n / 25 do
  local x, steps = start + 0.0, 0
  while x ~= 1.0 do
    if x % 2.0 == 0.0 then x = x * 0.5 else x = 3.0 * x + 1.0 end
    steps = steps + 1
  end
  if steps > longest then longest = steps end
end
local spread = 0.0
for i = 1, n do spread = spread + math.floor(i / 3.7) - math.ceil(i / 3.9) + math.max(i / 2, 5.5) - math.sqrt(i) + i ^ 0.5 end
print(string.format("%.6f %.9f %.6f %d %.4f", sum, pi * 4, angle, longest, spread))
