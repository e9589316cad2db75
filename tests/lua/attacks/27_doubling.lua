-- A string that doubles for ever.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stderr: not enough memory
-- stress: skip, ends by its limits
local s = "x"
while true do s = s .. s end
