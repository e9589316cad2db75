-- Small objects, large tables and long strings in turn, each up to the limit: what one kind has given back is not there beside the next.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 400000000
-- timeout: 30 s
-- stderr: instruction limit
-- stress: skip, ends by its limits
while true do
  -- One table that grows, and is followed by small objects up to the limit.
  local t = {}
  for i = 1, 1500000 do t[i] = i end
  t = nil
  local all, ok = {}, nil
  ok = pcall(function() for i = 1, 1000000 do all[#all + 1] = { i } end end)
  all = nil
  -- Many large ones that are dropped together, and one long string.
  all = {}
  pcall(function() for i = 1, 100 do local part = {} for n = 1, 60000 do part[n] = n end all[i] = part end end)
  all = nil
  local s
  pcall(function() s = ("x"):rep(50 * 2 ^ 20 // 1 | 0) end)
  s = nil
  -- Hash parts.
  t = {}
  pcall(function() for i = 1, 2000000 do t[i * 1.5] = true end end)
  t = nil
end
