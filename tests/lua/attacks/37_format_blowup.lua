-- Widths and precisions in format are limited.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
-- stress: skip, ends by its limits
print(pcall(string.format, "%99999999d", 1))
print(pcall(string.format, "%.99999999f", 1))
print(#string.format("%99d%99.99f", 1, 1e300))
print(pcall(string.format, ("%s"):rep(1000), 1))
--> false	invalid conversion specification: '%99999999d'
--> false	invalid conversion specification: '%.99999999f'
--> 500
--> false	bad argument #3 to 'string.format' (no value)
