-- A reader that never ends.
-- only: rille
-- expect: exit 70
-- attack: K or M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
load(function() return "x=1 " end)
