-- Stopping the collector does not lift the memory limit.
-- only: rille
-- expect: exit 70
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- rss: 128 MiB
-- stress: skip, ends by its limits
collectgarbage("stop")
while true do local t = {} end
