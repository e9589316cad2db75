-- Stopping the collector does not lift the memory limit.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
collectgarbage("stop")
while true do local t = {} end
