-- A module with state: each task has its own.
loads = (loads or 0) + 1
local n = 0
return { next = function() n = n + 1 return n end }
