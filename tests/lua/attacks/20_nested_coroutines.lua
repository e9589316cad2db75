-- Coroutines that resume coroutines without end.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 200000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local function f() return coroutine.wrap(f)() end
print((pcall(f)))
local depth = 0
local function g() depth = depth + 1 return coroutine.resume(coroutine.create(g)) end
g()
print(depth > 100)
--> false
--> true
