-- next on a large table that was emptied pays for what it skips.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 256MiB --max-instructions 50000000
-- timeout: 30 s
-- stress: skip, ends by its limits
local t = {}
for i = 1, 1 << 20 do t["k" .. i] = true end
for k in pairs(t) do t[k] = nil end
while true do next(t) end
