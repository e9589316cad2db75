-- table.concat of many references to one long string.
-- only: rille
-- expect: exit 70
-- attack: M
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local s = ("x"):rep(2 ^ 20)
local t = {}
for i = 1, 5000 do t[i] = s end
table.concat(t)
