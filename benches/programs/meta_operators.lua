-- Metamethods of operators: arithmetic, __eq, __lt, __le, __concat, __len, __call, __unm, __tostring.
local n = tonumber((...)) or 150000

local Vector = {}
Vector.__index = Vector
local function vector(x, y) return setmetatable({ x = x, y = y }, Vector) end
Vector.__add = function(a, b) return vector(a.x + b.x, a.y + b.y) end
Vector.__sub = function(a, b) return vector(a.x - b.x, a.y - b.y) end
Vector.__mul = function(a, k) if type(a) == "number" then a, k = k, a end return vector(a.x * k, a.y * k) end
Vector.__unm = function(a) return vector(0 - a.x, 0 - a.y) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__lt = function(a, b) return a.x < b.x or (a.x == b.x and a.y < b.y) end
Vector.__le = function(a, b) return a.x < b.x or (a.x == b.x and a.y <= b.y) end
Vector.__concat = function(a, b) return tostring(a) .. tostring(b) end
Vector.__call = function(self, k) return self.x + k end
Vector.__tostring = function(a) return "(" .. a.x .. "," .. a.y .. ")" end
local List = { __len = function(l) return l.size end, __concat = function(a, b) return a.size + b.size end }

local sum, true_count = 0, 0
local one = vector(1, 2)
local list, other = setmetatable({ size = 3 }, List), setmetatable({ size = 4 }, List)
for i = 1, n do
  local v = one + vector(i % 10, 1) * 2 - one
  v = 3 * -v
  if v == one then true_count = true_count + 1 end
  if v < one then true_count = true_count + 1 end
  if one <= v then true_count = true_count + 1 end
  sum = sum + v(i) + v.y + (list .. other)
  if i % 16 == 0 then sum = sum + #(v .. one) end
end
print(string.format("%d %d", sum, true_count))
