-- Tables in tables without end.
-- only: rille
-- expect: exit 70
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- rss: 128 MiB
-- stress: skip, ends by its limits
local t = {}
while true do t = {t, t, {t}} t.x = {[1] = t} local k = {} k[t] = k t.k = k end
