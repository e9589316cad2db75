-- Repeating the empty string is free.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 5 s
-- stress: skip, ends by its limits
print(#string.rep("", 1 << 62), #(""):rep(math.maxinteger, ""))
print(pcall(string.rep, "", 1 << 62, "x"))
--> 0	0
--> false	resulting string too large
