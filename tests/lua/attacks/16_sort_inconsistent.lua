-- A comparator that is always true, on many elements: an error or an end, no crash.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 200000000
-- timeout: 20 s
-- stress: skip, ends by its limits
local t = {}
for i = 1, 2e5 do t[i] = i end
local ok, e = pcall(table.sort, t, function() return true end)
print(ok or e)
ok = pcall(table.sort, t, function(a, b) return (a * 31 + b * 17) % 5 < 2 end)
print(#t == 2e5, type(ok))
--> invalid order function for sorting
--> true	boolean
