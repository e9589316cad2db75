-- A script under a debug hook is stopped like any other, in hooked functions and in the hook itself.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --max-memory 64MiB --max-instructions 2000000
-- timeout: 20 s
-- stress: skip, ends by its limits
debug.sethook(function() local i = 0 while i < 10 do i = i + 1 end end, "crl", 1)
local function endless() return endless() end
pcall(endless)
