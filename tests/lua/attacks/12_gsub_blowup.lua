-- A replacement that multiplies the subject.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local s = (("x"):rep(1e6)):gsub(".", ("y"):rep(5000))
