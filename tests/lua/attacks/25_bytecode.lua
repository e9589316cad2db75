-- Precompiled chunks are refused in the sandbox, and none can be made there.
-- only: rille
-- attack: E
-- flags: --max-memory 64MiB --max-instructions 20000000 --sandbox
-- timeout: 10 s
-- stress: skip, ends by its limits
print((load("\27Lua", "x", "b")))
print((load("\27Lua\x54\0\x19\x93\r\n\x1a\n\4\8\8")))
print((pcall(function() return string.dump(function() end) end)))
--> nil
--> nil
--> false
