-- A pattern that is quadratic on its subject charges fuel as it goes.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local s = ("a"):rep(3e5)
while true do s:find(".-b") end
