-- Loops that end at the limits of integers must stop instead of wrapping around.
local max, min = math.maxinteger, math.mininteger
local function count(a, b, c)
  local n, last = 0, nil
  for i = a, b, c do
    n, last = n + 1, i
    if n > 10 then return "many" end
  end
  return n, last
end
print(count(max - 2, max, 1))
print(count(max, max, 1))
print(count(max - 1, max, 2))
print(count(min + 2, min, -1))
print(count(min, min, -1))
print(count(max - 1, math.huge, 1))
print(count(min + 1, -math.huge, -1))
print(count(1, max, max))
print(count(min, max, max))
print(count(max, min, min))
print(count(-1, min, min))
print(count(0, max, max // 2))
print(count(max - 1, 2^63, 1))
print(count(max - 1, 1e308, 1))
print(count(min, -1e308, 1))
print(count(2^53, 2^53 + 4, 1))
print(count(1, 3, 1e308))
print(count(3, 1, min))
-- An integer loop with a float limit beyond the integers is clipped; with a float start it is a float loop.
print(count(max - 1, max + 0.0, 1))
print(math.type(select(2, count(1, 2.5, 1))), math.type(select(2, count(1.0, 2, 1))))
--> 3	9223372036854775807
--> 1	9223372036854775807
--> 1	9223372036854775806
--> 3	-9223372036854775808
--> 1	-9223372036854775808
--> 2	9223372036854775807
--> 2	-9223372036854775808
--> 1	1
--> 3	9223372036854775806
--> 2	-1
--> 1	-1
--> 3	9223372036854775806
--> 2	9223372036854775807
--> 2	9223372036854775807
--> 0	nil
--> many
--> 1	1.0
--> 1	3
--> 2	9223372036854775807
--> integer	float
