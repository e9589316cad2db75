-- Millions of coroutines hit the memory limit.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local t = {}
for i = 1, 1e7 do t[i] = coroutine.create(print) end
