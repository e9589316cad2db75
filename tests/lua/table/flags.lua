-- Arrays of booleans: what is read from them is a boolean like any other, whatever its slot held before.
local function same(a, b) return a == b and rawequal(a, b) and not (a ~= b) end

local t = {}
for i = 1, 3000 do t[i] = i % 3 == 0 end
local count = 0
for i = 1, 3000 do if t[i] then count = count + 1 end end
print(count, #t)

-- Slots that held numbers, strings, tables and functions before.
local mixed = {}
for i = 1, 200 do mixed[i] = ({ i, "s" .. i, {}, print, i + 0.5 })[i % 5 + 1] end
for i = 1, 200 do mixed[i] = false end
for i = 1, 200, 2 do mixed[i] = true end
local trues, falses = 0, 0
for i, v in ipairs(mixed) do
  if v == true then trues = trues + 1 elseif v == false then falses = falses + 1 end
  assert(same(v, i % 2 == 1) and type(v) == "boolean" and tostring(v) == tostring(i % 2 == 1))
end
print(trues, falses)

-- As keys, arguments, results, captured variables, parts of other tables.
local seen = {}
for i = 1, 200 do seen[mixed[i]] = (seen[mixed[i]] or 0) + 1 end
print(seen[true], seen[false])
print(select("#", table.unpack(mixed, 1, 6)), table.unpack(mixed, 1, 6))
local function made(v) return function() return v end end
print(made(mixed[1])(), made(mixed[2])())
print(same(({ mixed[3] })[1], true), same(select(2, pcall(function() return mixed[4] end)), false))
print(coroutine.wrap(function(...) return coroutine.yield(...) end)(mixed[5], mixed[6]))

-- nil and back, with and without a metatable.
local hollow = setmetatable({}, { __index = function(_, k) return "none " .. k end })
for i = 1, 8 do rawset(hollow, i, i) end
for i = 1, 8 do hollow[i] = false end
hollow[3] = nil
print(hollow[2], hollow[3], hollow[9], rawget(hollow, 3))
hollow[4] = 4.5
print(hollow[4], hollow[5])

-- Through growth, removal and sorting.
local big = {}
for i = 1, 70000 do big[i] = true end
for i = 1, 70000, 7 do big[i] = i end
for i = 70001, 140000 do big[i] = false end
local sum, yes, no = 0, 0, 0
for i = 1, #big do
  local v = big[i]
  if v == true then yes = yes + 1 elseif v == false then no = no + 1 else sum = sum + v end
end
print(sum, yes, no)
collectgarbage()
table.remove(big, 1)
table.insert(big, 1, false)
table.move(big, 1, 10, 200)
print(big[1], big[2], big[8], big[200], big[207])
local bits = { false, true, true, false, true }
table.sort(bits, function(a, b) return a and not b end)
for i, v in ipairs(bits) do bits[i] = tostring(v) end
print(table.concat(bits, " "))
--> 1000	3000
--> 100	100
--> 100	100
--> 6	true	false	true	false	true	false
--> true	false
--> true	true
--> true	false
--> false	none 3	none 9	nil
--> 4.5	false
--> 349975000	60000	70000
--> false	true	8	false	8
--> true true true false false
