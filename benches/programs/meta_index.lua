-- Metatables on access: __index as a chain of tables and as a function, __newindex as both, rawget and rawset, defaults, proxies.
local n = tonumber((...)) or 1000000

local base = { origin = 1 }
local chain = base
for depth = 1, 6 do chain = setmetatable({ ["level" .. depth] = depth }, { __index = chain }) end

local computed = setmetatable({}, { __index = function(_, k) return k * 2 end })
local cached = setmetatable({}, { __index = function(t, k) local v = k * k rawset(t, k, v) return v end })
local store = {}
local proxy = setmetatable({}, { __index = store, __newindex = store })
local writes = 0
local watched = setmetatable({}, { __newindex = function(t, k, v) writes = writes + 1 rawset(t, k, v) end })

local sum = 0
for i = 1, n do
  sum = sum + chain.origin + chain.level3 + chain.level6
  sum = sum + computed[i] + cached[i % 500]
  proxy[i % 100] = i
  sum = sum + proxy[i % 100]
  watched[i % 5000] = i
  if chain.missing then sum = sum + 1 end
  if rawget(chain, "origin") == nil then sum = sum + 1 end
end
print(string.format("%d %d", sum, writes))
