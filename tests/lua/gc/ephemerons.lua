-- Ephemerons: a value reachable only through its own key does not keep the key.
local function size(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
local e = setmetatable({}, {__mode = "k"})
do
  local k = {}
  e[k] = {k}
  local a, b = {}, {}
  e[a] = b e[b] = a
  local self = {}
  e[self] = self
end
collectgarbage()
print(size(e))
-- A chain that hangs on a live key stays whole.
local first = {}
do
  local k = first
  for i = 1, 1000 do local nextk = {i} e[k] = nextk k = nextk end
end
collectgarbage()
print(size(e))
local k, n = first, 0
while e[k] do k = e[k] n = n + 1 end
print(n, k[1])
first, k = nil, nil
collectgarbage()
print(size(e))
-- Two ephemeron tables that refer to each other's keys.
local e1, e2 = setmetatable({}, {__mode = "k"}), setmetatable({}, {__mode = "k"})
local root = {}
do
  local a, b = {}, {}
  e1[root] = a e2[a] = b e1[b] = "end"
end
collectgarbage()
print(size(e1), size(e2), e1[e2[e1[root]]])
root = nil
collectgarbage()
print(size(e1), size(e2))
-- Values that are closures over the key.
local objects = setmetatable({}, {__mode = "k"})
do local o = {} objects[o] = function() return o end end
collectgarbage()
print(size(objects))
--> 0
--> 1000
--> 1000	1000
--> 0
--> 2	1	end
--> 0	0
--> 0
