-- A string metatable that is replaced breaks only its own script.
-- only: rille
-- expect: exit 1
-- flags: --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stderr: attempt to
-- stress: skip, ends by its limits
getmetatable("").__index = function() return 1 end
print(("x").anything)
print(("x"):upper())
--> 1
