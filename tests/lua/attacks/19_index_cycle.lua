-- An __index cycle.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
local t = {}
setmetatable(t, {__index = t, __newindex = t})
print(pcall(function() return t.x end))
print(pcall(function() t.x = 1 end))
local f = setmetatable({}, {__index = function(s, k) return s[k] end})
print((pcall(function() return f.x end)))
local c = setmetatable({}, {}) getmetatable(c).__call = c
print((pcall(c)))
--> false	attacks/19_index_cycle.lua:9: '__index' chain too long; possible loop
--> false	attacks/19_index_cycle.lua:10: '__newindex' chain too long; possible loop
--> false
--> false
