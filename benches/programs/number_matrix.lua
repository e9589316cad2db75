-- Matrices as tables of rows: multiplication, transposition, Gauss elimination, a power of a small one.
local n = tonumber((...)) or 180

local function make(size, f)
  local m = {}
  for i = 1, size do
    local row = {}
    for j = 1, size do row[j] = f(i, j) end
    m[i] = row
  end
  return m
end
local function transpose(m) return make(#m, function(i, j) return m[j][i] end) end
local function multiply(a, b)
  local size, columns, out = #a, transpose(b), {}
  for i = 1, size do
    local row, left = {}, a[i]
    for j = 1, size do
      local sum, column = 0, columns[j]
      for k = 1, size do sum = sum + left[k] * column[k] end
      row[j] = sum
    end
    out[i] = row
  end
  return out
end
local function determinant(m)
  local size, product = #m, 1.0
  for k = 1, size do
    local pivot = m[k]
    product = product * pivot[k]
    for i = k + 1, size do
      local row = m[i]
      local factor = row[k] / pivot[k]
      for j = k, size do row[j] = row[j] - factor * pivot[j] end
    end
  end
  return product
end

local whole = make(n, function(i, j) return (i * j) % 10 - 4 end)
local halves = make(n, function(i, j) return i == j and 2.5 or 1 / (i + j) end)
local squared = multiply(whole, whole)
local product = multiply(halves, whole)
local trace = 0
for i = 1, n do trace = trace + squared[i][i] end
local small = make(3, function(i, j) return (i + j) % 3 end)
local power = small
for i = 1, n * 60 do
  power = multiply(power, small)
  for r = 1, 3 do for c = 1, 3 do power[r][c] = power[r][c] % 9973 end end
end
print(string.format("%d %.6f %.6e %d", trace, product[n][n], determinant(halves), power[1][2]))
