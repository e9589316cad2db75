-- Arithmetic in loops: primes, permutations, a spectral norm, planets, a fractal; the same in every version of Lua.
local function sieve(n)
  local composite, count = {}, 0
  for i = 2, n do
    if not composite[i] then count = count + 1 for k = i * i, n, i do composite[k] = true end end
  end
  return count
end
print("primes", string.format("%d", sieve(5000)))
local function flips(n)
  local p, q, sign, best, sum = {}, {}, 1, 0, 0
  local s = {}
  for i = 1, n do p[i], q[i], s[i] = i, i, i end
  while true do
    local q0 = p[1]
    if q0 ~= 1 then
      for i = 2, n do q[i] = p[i] end
      local count = 1
      while true do
        local qq = q[q0]
        if qq == 1 then sum = sum + sign * count if count > best then best = count end break end
        q[q0] = q0
        if q0 >= 4 then local i, j = 2, q0 - 1 repeat q[i], q[j] = q[j], q[i] i = i + 1 j = j - 1 until i >= j end
        q0 = qq count = count + 1
      end
    end
    if sign == 1 then p[1], p[2] = p[2], p[1] sign = -1
    else
      p[2], p[3] = p[3], p[2] sign = 1
      for i = 3, n do
        local sx = s[i]
        if sx ~= 1 then s[i] = sx - 1 break end
        if i == n then return sum, best end
        s[i] = i
        local t = p[1] for j = 1, i do p[j] = p[j + 1] end p[i + 1] = t
      end
    end
  end
end
print("flips", string.format("%d %d", flips(6)))
local function A(i, j) local ij = i + j - 1 return 1.0 / (ij * (ij - 1) * 0.5 + i) end
local function times(x, n, transposed)
  local y = {}
  for i = 1, n do local a = 0 for j = 1, n do a = a + x[j] * (transposed and A(j, i) or A(i, j)) end y[i] = a end
  return y
end
local u, v, N = {}, nil, 20
for i = 1, N do u[i] = 1 end
for _ = 1, 8 do v = times(times(u, N), N, true) u = times(times(v, N), N, true) end
local vBv, vv = 0, 0
for i = 1, N do vBv = vBv + u[i] * v[i] vv = vv + v[i] * v[i] end
print("norm", string.format("%.9f", math.sqrt(vBv / vv)))
local bodies = {{x = 0, y = 0, vx = 0, vy = 0, m = 40}, {x = 5, y = 0, vx = 0, vy = 2.8, m = 0.04}, {x = 0, y = 9, vx = -2.1, vy = 0, m = 0.01}}
for _ = 1, 500 do
  for i, a in ipairs(bodies) do
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy = a.x - b.x, a.y - b.y
      local d2 = dx * dx + dy * dy
      local f = 0.01 / (d2 * math.sqrt(d2))
      a.vx, a.vy, b.vx, b.vy = a.vx - dx * b.m * f, a.vy - dy * b.m * f, b.vx + dx * a.m * f, b.vy + dy * a.m * f
    end
  end
  for _, a in ipairs(bodies) do a.x, a.y = a.x + 0.01 * a.vx, a.y + 0.01 * a.vy end
end
print("planet", string.format("%.6f %.6f", bodies[2].x, bodies[2].y))
local inside = 0
for i = 0, 23 do
  for j = 0, 23 do
    local cr, ci, zr, zi, n = 2 * i / 24 - 1.5, 2 * j / 24 - 1, 0, 0, 0
    while n < 50 and zr * zr + zi * zi < 4 do zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1 end
    if n == 50 then inside = inside + 1 end
  end
end
print("fractal", string.format("%d", inside))
print("mixed", 7 % 3 == 1, -7 % 3 == 2, 2 ^ 10 == 1024, 10 / 4 == 2.5, math.floor(-2.5) == -3, #tostring(2 ^ 31) >= 10)
--> primes	669
--> flips	49 10
--> norm	1.273839841
--> planet	-4.670489 1.061436
--> fractal	231
--> mixed	true	true	true	true	true	true
