-- A call that gives no value, as the last argument or item of a list: nothing is left in its place, whatever is collected then.
local function locals(...)
  local a, b, c
  for i = 1, 200 do a = { b } b = { a } c = a end
  return select("#", ...), c ~= nil
end
local t = {}
for i = 1, 300 do locals(table.insert(t, i)) end
print(locals(table.insert(t, "last")))
print(#{ table.insert(t, 1) }, #t)
local function empty()
  collectgarbage()
  local x
  return x
end
print(empty(table.insert(t, 2)))
print((table.insert(t, 3)))
--> 0	true
--> 0	302
--> nil
--> nil
