-- Millions of coroutines hit the memory limit.
-- only: rille
-- expect: exit 70
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- rss: 128 MiB
-- stress: skip, ends by its limits
local t = {}
for i = 1, 1e7 do t[i] = coroutine.create(print) end
