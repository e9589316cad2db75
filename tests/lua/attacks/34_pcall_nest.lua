-- pcall nested in itself, each level adding a result: moving the results is work that fuel has to see.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local function nest() return pcall(nest) end
local function nest2() return pcall(pcall, nest2) end
local function nest3() return xpcall(nest3, nest3) end
while true do
  nest()
  nest2()
  nest3()
end
