-- Running out of time ends the script in the same way.
-- only: rille
-- expect: exit 70
-- flags: --timeout 1s
-- stderr: rille/timeout.lua
-- timeout: 10 s
print("started")
while true do end
--> started
