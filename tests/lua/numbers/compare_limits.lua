-- Comparisons between integers and floats are exact, at 2^53, at 2^63 and beyond.
local max, min = math.maxinteger, math.mininteger
local two53 = 1 << 53
print(two53 == 2.0^53, two53 + 1 == 2.0^53, two53 + 1 > 2.0^53, two53 + 1 <= 2.0^53)
print(max == 2.0^63, max < 2.0^63, max <= 2.0^63, max > 2.0^63, max >= 2.0^63)
print(2.0^63 > max, 2.0^63 >= max, 2.0^63 < max, 2.0^63 <= max)
print(min == -2.0^63, min < -2.0^63, min <= -2.0^63, min > -2.0^63)
print(max + 0.0 == max, max < max + 0.0, min + 0.0 == min)
print(1 < 1.5, 1 <= 1.0, 1 >= 1.0, 2 > 1.5, -1 < -0.5, -2 < -1.5)
local nan = 0/0
print(nan == nan, nan < 1, 1 < nan, nan <= nan, max < nan, nan > min, nan ~= nan)
print(max < math.huge, min > -math.huge, max > -math.huge, math.huge > max, -math.huge < min)
print(1 == 1.0, {} == {}, "a" < "b", "10" < "9")
-- The same through variables, so that no comparison is folded.
local function compare(a, b) return a < b, a <= b, a == b, a >= b, a > b end
print(compare(two53, two53 + 0.0))
print(compare(two53 + 1, 2.0^53))
print(compare(2.0^53, two53 + 1))
print(compare(max, 2.0^63))
print(compare(2.0^63, max))
print(compare(-2.0^63, min))
print(compare(min, -2.0^63 * 2))
print(compare(0, -0.0))
print(compare(nan, 0))
-- Comparisons with small constants have their own instructions.
local function small(x) return x < 5, x <= 5, x > 5, x >= 5, x == 5, 5 < x, 5 <= x end
print(small(5)) print(small(5.0)) print(small(4.999)) print(small(nan)) print(small(max)) print(small(-math.huge))
--> true	false	true	false
--> false	true	true	false	false
--> true	true	false	false
--> true	false	true	false
--> false	true	true
--> true	true	true	true	true	true
--> false	false	false	false	false	false	true
--> true	true	true	true	true
--> true	false	true	true
--> false	true	true	true	false
--> false	false	false	true	true
--> true	true	false	false	false
--> true	true	false	false	false
--> false	false	false	true	true
--> false	true	true	true	false
--> false	false	false	true	true
--> false	true	true	true	false
--> false	false	false	false	false
--> false	true	false	true	true	false	true
--> false	true	false	true	true	false	true
--> true	true	false	false	false	false	false
--> false	false	false	false	false	false	false
--> false	false	true	true	false	true	true
--> true	true	false	false	false	false	false
