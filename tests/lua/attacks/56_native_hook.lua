-- A native function as the hook of endless tail calls: there is no loop, and the calls are safe points all the same.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --max-memory 64MiB --max-instructions 2000000
-- timeout: 20 s
-- stress: skip, ends by its limits
debug.sethook(type, "c")
local function endless() return endless() end
pcall(endless)
