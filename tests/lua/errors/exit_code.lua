-- os.exit gives its code, and closes pending variables when asked.
-- expect: exit 7
local c <close> = setmetatable({}, {__close = function() print("closed") end})
kept = setmetatable({}, {__gc = function() print("finalized") end})
print("leaving")
os.exit(7, true)
--> leaving
--> closed
--> finalized
