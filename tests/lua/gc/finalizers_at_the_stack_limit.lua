-- A finalizer that is due where the stack has no room for it waits; none is lost, and no error comes from it.
-- stress: skip, deep recursion
local made, gone = 0, 0
local mt = {__gc = function() gone = gone + 1 end}
local function deep()
  made = made + 1
  setmetatable({}, mt)
  return 1 + deep()
end
for _ = 1, 3 do print(select(2, pcall(deep)):match("stack overflow")) end
collectgarbage() collectgarbage()
print(made > 1000, made == gone)
--> stack overflow
--> stack overflow
--> stack overflow
--> true	true
