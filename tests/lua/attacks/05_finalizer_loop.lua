-- A finalizer that loops for ever.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
setmetatable({}, {__gc = function() while true do end end})
collectgarbage()
collectgarbage()
