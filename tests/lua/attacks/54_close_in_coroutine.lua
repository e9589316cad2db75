-- A coroutine that is closed by a kill does not hand control back to the one that had resumed it.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 1000000
-- timeout: 10 s
-- stress: skip, ends by its limits
local function inner()
  local x <close> = setmetatable({}, {__close = function() end})
  while true do end
end
while true do
  coroutine.wrap(inner)()
  print("alive after the kill")
end
