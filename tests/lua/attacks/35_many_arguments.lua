-- Calls with more arguments and results than a stack should hold.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
local t = table.pack(pcall(table.unpack, {}, 1, 900000))
-- Either fits or is refused with an ordinary error.
print(t[1] and t.n == 900001 or type(t[2]) == "string")
print((pcall(function() return select("#", table.unpack({}, 1, 5e6)) end)))
print((pcall(table.unpack, {}, 1, 1e8)))
--> true
--> false
--> false
