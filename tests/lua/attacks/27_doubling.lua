-- A string that doubles for ever.
-- only: rille
-- expect: exit 70
-- flags: --sandbox --max-memory 64MiB
-- timeout: 20 s
-- rss: 96 MiB
-- stderr: not enough memory
-- stress: skip, ends by its limits
local s = "x"
while true do s = s .. s end
