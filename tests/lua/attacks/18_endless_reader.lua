-- A reader that never ends.
-- only: rille
-- expect: exit 70
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- rss: 128 MiB
-- stress: skip, ends by its limits
load(function() return "x=1 " end)
