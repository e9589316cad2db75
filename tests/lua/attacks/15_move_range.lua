-- table.move over the range of integers.
-- only: rille
-- expect: exit 70
-- attack: K
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 20 s
-- stress: skip, ends by its limits
table.move({}, 1, math.maxinteger - 1, 2)
