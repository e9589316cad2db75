-- Finalizers left behind by a script that was stopped get a small closing budget together, not one each.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 5000000
-- timeout: 10 s
-- stress: skip, ends by its limits
for i = 1, 10000 do
  setmetatable({}, {__gc = function() while true do pcall(error) end end})
end
local kept = setmetatable({}, {__gc = function() while true do end end})
while true do end
