-- pcall nested in itself, each level adding a result.
-- only: rille
-- flags: --max-memory 64MiB --max-instructions 500000000
-- timeout: 30 s
-- rss: 128 MiB
-- stress: skip, ends by its limits
local function nest() return pcall(nest) end
print((nest()))
local function nest2() return pcall(pcall, nest2) end
print((nest2()))
local function nest3() return xpcall(nest3, nest3) end
print((nest3()))
--> true
--> true
--> true
