-- unpack over the whole range of integers.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 5 s
-- stress: skip, ends by its limits
print(pcall(table.unpack, {}, math.mininteger, math.maxinteger))
print(pcall(table.unpack, {}, 1, math.maxinteger))
print(pcall(table.unpack, {}, 1, 1e9))
print(pcall(table.unpack, {}, -1, math.maxinteger))
--> false	too many results to unpack
--> false	too many results to unpack
--> false	too many results to unpack
--> false	too many results to unpack
