-- <close>: order, values, and every way to leave the block.
local function closer(name)
  return setmetatable({name = name}, {
    __close = function(self, e) print("close " .. self.name, e) end,
  })
end
do
  local a <close> = closer "a"
  local b <close> = closer "b"
  local c <const> = "no close"
  print("in block")
end
local function f()
  local x <close> = closer "x"
  local y <close> = closer "y"
  return "result", (print "before close")
end
print(f())
for i = 1, 3 do
  local v <close> = closer("loop" .. i)
  if i == 2 then break end
end
do
  local i = 1
  ::top::
  local g <close> = closer("goto" .. i)
  i = i + 1
  if i <= 2 then goto top end
end
while true do
  local w <close> = closer "while"
  if true then break end
end
local n = 0
repeat
  local r <close> = closer("repeat" .. n)
  n = n + 1
until r.name == "repeat1"
do
  local ok <close> = nil
  local fine <close> = false
  print("nil and false need no closing")
end
print(pcall(function() local bad <close> = 42 end))
print(pcall(function() local bad <close> = {} end))
print(pcall(function()
  local outer <close> = closer "outer"
  local inner <close> = closer "inner"
  error("thrown", 0)
end))
print(pcall(function()
  local t <close> = closer "table error"
  error(setmetatable({}, {__tostring = function() return "an error object" end}))
end))
local function nested()
  local a <close> = closer "nested a"
  do local b <close> = closer "nested b" end
  local function inner() local c <close> = closer "nested c" return 1, 2, 3 end
  return inner()
end
print(nested())
-- The value closed is the one at declaration.
do
  local m = getmetatable(closer "x")
  local v <close> = setmetatable({name = "late"}, m)
  m.__close = function() print("metamethod found when closing") end
end
--> in block
--> close b	nil
--> close a	nil
--> before close
--> close y	nil
--> close x	nil
--> result	nil
--> close loop1	nil
--> close loop2	nil
--> close goto1	nil
--> close goto2	nil
--> close while	nil
--> close repeat0	nil
--> close repeat1	nil
--> nil and false need no closing
--> false	locals/close_order.lua:44: variable 'bad' got a non-closable value
--> false	locals/close_order.lua:45: variable 'bad' got a non-closable value
--> close inner	thrown
--> close outer	thrown
--> false	thrown
--> close table error	an error object
--> false	an error object
--> close nested b	nil
--> close nested c	nil
--> close nested a	nil
--> 1	2	3
--> metamethod found when closing
