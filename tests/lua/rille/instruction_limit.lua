-- Running out of instructions ends the script with exit code 70 and a line that says which limit it was.
-- only: rille
-- expect: exit 70
-- flags: --max-instructions 1000000
-- stderr: instruction
-- stderr: rille/instruction_limit.lua:8
-- timeout: 10 s
print("started") while true do end
--> started
