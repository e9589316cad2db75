-- The numeric for: bounds, steps, types, and what the body may do to the variable.
local function run(a, b, c)
  local out = {}
  for i = a, b, c or 1 do
    out[#out + 1] = tostring(i)
    if #out > 8 then out[#out + 1] = "..." break end
  end
  print(#out == 0 and "(none)" or table.concat(out, " "))
end
run(1, 5) run(5, 1) run(5, 1, -1) run(1, 5, 2) run(1, 0) run(1, 1) run(3, 3, -1)
run(1.0, 3) run(1, 3.0) run(1, 3, 1.0) run(0, 1, 0.25) run(1, 0, -0.5) run(0.1, 0.5, 0.1)
run(1, 3.7) run(3, 1.2, -1) run(-3, -1.5) run(1.5, 4)
run(1, math.huge) run(1, -math.huge) run(-1, -math.huge, -1)
run(math.huge, 1) run(0/0, 1) run(1, 0/0)
for i = 1, 3 do local j = i; i = i * 10; io.write(j, ":", i, " ") end print()
local i = "outer"
for i = 1, 2 do end
print(i)
for i = 3, 1 do print("never") end
do
  local n = 3
  for i = 1, n do n = 100 io.write(i, " ") end print(n)
end
-- Nested loops of every direction.
local count = 0
for i = 1, 10 do for j = 10, i, -1 do for k = i, j, 2 do count = count + 1 end end end
print(count)
--> 1 2 3 4 5
--> (none)
--> 5 4 3 2 1
--> 1 3 5
--> (none)
--> 1
--> 3
--> 1.0 2.0 3.0
--> 1 2 3
--> 1.0 2.0 3.0
--> 0.0 0.25 0.5 0.75 1.0
--> 1.0 0.5 0.0
--> 0.1 0.2 0.3 0.4 0.5
--> 1 2 3
--> 3 2
--> -3 -2
--> 1.5 2.5 3.5
--> 1 2 3 4 5 6 7 8 9 ...
--> (none)
--> -1 -2 -3 -4 -5 -6 -7 -8 -9 ...
--> (none)
--> -nan
--> (none)
--> 1:10 2:20 3:30 
--> outer
--> 1 2 3 100
--> 125
