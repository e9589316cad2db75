-- An endless chain of closures hits the limit, and is freed without deep recursion.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local f = print
while true do
  local g = f
  f = function() return g end
end
