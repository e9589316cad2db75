-- A weak table whose keys are only found late: the map of values that wait is bounded.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 2000000000
-- timeout: 30 s
-- stress: skip, ends by its limits
local weak = setmetatable({}, {__mode = "k"})
local keys = {}
while true do
  local k = {}
  keys[#keys + 1] = k
  weak[k] = {}
end
