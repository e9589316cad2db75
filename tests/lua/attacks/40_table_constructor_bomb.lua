-- Tables in tables without end.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local t = {}
while true do t = {t, t, {t}} t.x = {[1] = t} local k = {} k[t] = k t.k = k end
