-- and, or, not: values, short circuits, and mixtures in conditions.
print(nil and 1, false and 1, 1 and nil, 1 and 2, 0 and "zero is true", "" and "so is ''")
print(nil or 1, false or nil, 1 or error("never"), nil or false)
print(not nil, not 0, not not "x", not (1 == 1))
print(1 and 2 or 3, nil and 2 or 3, false or nil and 1, 1 or 2 and 3)
print(false == nil, not nil == true, not (nil == true))
local calls = {}
local function t(name) calls[#calls + 1] = name return true end
local function f(name) calls[#calls + 1] = name return false end
local _ = t"a" and f"b" and t"c"
_ = f"d" or t"e" or t"f"
_ = (t"g" or f"h") and (f"i" or t"j")
print(table.concat(calls))
local function both(a, b) if a and b then return "both" elseif a or b then return "one" else return "none" end end
print(both(1, 2), both(nil, 2), both(1, nil), both())
local function classify(x)
  return x == nil and "nil" or x == false and "false" or type(x) == "number" and (x < 0 and "negative" or x == 0 and "zero" or "positive") or "other"
end
print(classify(nil), classify(false), classify(-1), classify(0), classify(1), classify("x"))
local x = nil
local y = x and x.field
print(y)
local a, b = 1 < 2, not (1 < 2)
print(a, b, a ~= b, (a and 1 or 0) + (b and 1 or 0))
if not a or b then print("no") else print("yes") end
while not (a and not b) do print("never") end
print((nil)==nil, (1 < 2) == true, "a".."b" == "ab" and #"ab" == 2)
--> nil	false	nil	2	zero is true	so is ''
--> 1	nil	1	false
--> true	false	true	false
--> 2	3	nil	1
--> false	true	true
--> abdegij
--> both	one	one	none
--> nil	false	negative	zero	positive	other
--> nil
--> true	false	true	1
--> yes
--> true	true	true
