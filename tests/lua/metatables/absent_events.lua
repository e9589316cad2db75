-- Metamethods added and removed after objects exist are seen at once, also when a lookup found none before.
local mt = {}
local a, b = setmetatable({}, mt), setmetatable({}, mt)
local function try(f) local ok, v = pcall(f) return ok and tostring(v) or "error" end
local function all()
  print(try(function() return a + 1 end), try(function() return a.x end), try(function() return #a end), try(function() return a == b end),
    try(function() return a < b end), try(function() return a() end), try(function() return a .. "" end), try(function() a.new = 1 local v = rawget(a, "new") rawset(a, "new", nil) return v end))
end
all()
mt.__add = function() return "add" end all()
mt.__index = function() return "index" end all()
mt.__len = function() return "len" end all()
mt.__eq = function() return true end all()
mt.__lt = function() return true end all()
mt.__call = function() return "call" end all()
mt.__concat = function() return "concat" end all()
mt.__newindex = function(t, k) rawset(t, k, "intercepted") end all()
for k in pairs(mt) do mt[k] = nil end all()
rawset(mt, "__index", {x = "raw"}) all()
rawset(mt, "__index", nil) all()
-- The metatable's metatable gives no events.
setmetatable(mt, {__index = {__add = function() return "never" end, __index = function() return "never" end}}) all()
--> error	nil	0	false	error	error	error	1
--> add	nil	0	false	error	error	error	1
--> add	index	0	false	error	error	error	1
--> add	index	len	false	error	error	error	1
--> add	index	len	true	error	error	error	1
--> add	index	len	true	true	error	error	1
--> add	index	len	true	true	call	error	1
--> add	index	len	true	true	call	concat	1
--> add	index	len	true	true	call	concat	intercepted
--> error	nil	0	false	error	error	error	1
--> error	raw	0	false	error	error	error	1
--> error	nil	0	false	error	error	error	1
--> error	nil	0	false	error	error	error	1
