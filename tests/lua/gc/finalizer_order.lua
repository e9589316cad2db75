-- Finalizers run in reverse order of marking, once, at a full collection or at the end.
local function new(name) return setmetatable({name = name}, {__gc = function(o) print("gc " .. o.name) end}) end
do local a, b, c = new "a", new "b", new "c" end
collectgarbage()
print("after first")
-- Resurrection: the finalizer runs once unless the metatable is set again.
local saved
do
  local phoenix = setmetatable({}, {__gc = function(o) print("gc phoenix") saved = o end})
end
collectgarbage()
print(saved ~= nil)
saved = nil
collectgarbage()
print("not again")
local count = 0
do
  local mt mt = {__gc = function(o) count = count + 1 if count < 3 then setmetatable(o, mt) saved = o end end}
  setmetatable({}, mt)
end
for _ = 1, 5 do saved = nil collectgarbage() end
print(count)
-- __gc added after setmetatable does not mark the object; present as any value it does.
do
  local mt = {}
  setmetatable({}, mt)
  mt.__gc = function() print("never: not marked") end
  local marked = {__gc = true}
  local o = setmetatable({}, marked)
  marked.__gc = function() print("marked by a placeholder") end
end
collectgarbage()
-- Objects a finalizer reaches are still whole.
do
  local inner = setmetatable({value = "inner value"}, {__gc = function() print("gc inner") end})
  setmetatable({inner = inner}, {__gc = function(o) print("gc outer sees " .. o.inner.value) end})
end
collectgarbage() collectgarbage()
-- Still alive at the end: closed in reverse order.
at_exit1, at_exit2 = new "exit1", new "exit2"
print("end of script")
--> gc c
--> gc b
--> gc a
--> after first
--> gc phoenix
--> true
--> not again
--> 3
--> marked by a placeholder
--> gc outer sees inner value
--> gc inner
--> end of script
--> gc exit2
--> gc exit1
