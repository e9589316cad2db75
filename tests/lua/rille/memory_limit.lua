-- A memory error nobody caught ends the script with exit code 70.
-- only: rille
-- expect: exit 70
-- flags: --max-memory 16MiB
-- stderr: not enough memory
-- rss: 48 MiB
-- stress: skip, fills the memory
print("started")
local s = "x"
while true do s = s .. s end
--> started
