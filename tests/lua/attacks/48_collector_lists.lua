-- What the collector itself needs (lists of gray objects, of finalizers, of ephemerons) is part of the memory used.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 2000000000
-- timeout: 30 s
-- stress: skip, ends by its limits
local meta = {__gc = function() end}
local wide, weak = {}, setmetatable({}, {__mode = "k"})
for i = 1, 150000 do
  local t = setmetatable({}, meta)
  wide[i] = t
  weak[t] = {}
end
collectgarbage()
local n = #wide
while true do
  n = n + 1
  wide[n] = {}
end
