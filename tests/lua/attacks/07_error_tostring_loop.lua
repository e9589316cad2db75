-- An uncaught error object whose __tostring loops for ever: the host names its type only.
-- only: rille
-- expect: exit 1
-- stderr: (error object is a table value)
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
error(setmetatable({}, {__tostring = function() while true do end end}))
