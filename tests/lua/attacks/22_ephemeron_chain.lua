-- A chain of ephemerons is collected in linear time.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 256MiB --max-instructions 200000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local e = setmetatable({}, {__mode = "k"})
local first = {}
local k = first
for _ = 1, 2e5 do local n = {} e[k] = n k = n end
collectgarbage()
local n = 0
for _ in pairs(e) do n = n + 1 end
print(n)
first, k = nil, nil
collectgarbage()
print(next(e))
--> 200000
--> nil
