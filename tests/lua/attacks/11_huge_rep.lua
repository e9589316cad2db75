-- A string that cannot fit is refused before it is allocated.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 5 s
-- stress: skip, ends by its limits
print(pcall(string.rep, "x", 1 << 40))
print(pcall(string.rep, "x", 1 << 62))
print(pcall(string.rep, "x", 1 << 30, "yy"))
print(pcall(string.rep, "x", 1 << 28))
--> false	resulting string too large
--> false	resulting string too large
--> false	resulting string too large
--> false	not enough memory
