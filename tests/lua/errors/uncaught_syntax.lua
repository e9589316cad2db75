-- A script that does not compile: file, line and token on standard error, nothing runs.
-- expect: exit 1
-- stderr: errors/uncaught_syntax.lua:6: unexpected symbol near ')'
print("never")
local x = 1
print(x + )
