-- while and repeat, scope of the repeat condition, break in nested loops.
local n = 0
while n < 3 do n = n + 1 end
print(n)
while false do print("never") end
repeat local inner = n; n = n + 1 until inner >= 5
print(n)
repeat n = n - 1 until true
print(n)
local log = {}
for i = 1, 3 do
  while true do
    repeat
      if i == 2 then break end
      log[#log + 1] = "r" .. i
    until true
    log[#log + 1] = "w" .. i
    if true then break end
  end
end
print(table.concat(log, " "))
local i = 0
while i do
  i = i + 1
  if i == 5 then i = nil end
end
print(i)
-- A closure in the body of a repeat sees the variable of its own turn, and so does the condition.
local fs = {}
local k = 0
repeat
  local x = k
  fs[#fs + 1] = function() x = x + 10 return x end
  k = k + 1
until x == 2
print(fs[1](), fs[1](), fs[2](), fs[3]())
local t = {}
repeat local a <const> = #t + 1; t[a] = a until a == 4
print(#t)
--> 3
--> 6
--> 5
--> r1 w1 w2 r3 w3
--> nil
--> 10	20	11	12
--> 4
