-- A source that grows without end is refused by memory or fuel.
-- only: rille
-- expect: exit 1
-- stderr: chunk has too much code to compile at once
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 2000000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local s = "t = {" .. ("1,"):rep(1000) .. "}\n"
while true do assert(load(s)) s = s .. s end
