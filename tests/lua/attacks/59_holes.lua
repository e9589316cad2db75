-- Survivors all over the heap, one to a page, for every size in turn: the pages that they hold are part of the memory used.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 2000000000
-- timeout: 30 s
-- stress: skip, large
local kept = {}
for size = 20, 240, 10 do
  local x, all = ("x"):rep(size), {}
  local n, step = (44 << 20) // (size + 40), 32768 // (size + 40)
  for i = 1, n do all[i] = x .. i end
  for i = 1, n, step do kept[#kept + 1] = all[i] end
  all = nil
  collectgarbage()
end
print("survived")
