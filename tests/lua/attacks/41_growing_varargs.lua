-- A tail call that adds an argument each time: quadratic work, which fuel has to see.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local function grow(...) return grow(1, ...) end
while true do pcall(grow) end
