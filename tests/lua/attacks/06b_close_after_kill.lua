-- A __close method that loops for ever does not prolong a kill.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local x <close> = setmetatable({}, {__close = function() while true do end end})
while true do end
