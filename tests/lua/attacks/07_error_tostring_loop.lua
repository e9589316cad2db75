-- An uncaught error object whose __tostring loops for ever: it runs under the script's limits.
-- only: rille
-- expect: exit 70
-- stderr: instruction limit of 20000000 exceeded
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
error(setmetatable({}, {__tostring = function() while true do end end}))
