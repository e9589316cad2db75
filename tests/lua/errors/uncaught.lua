-- An error nobody catches: the message and a traceback on standard error, exit code 1.
-- expect: exit 1
-- stderr: errors/uncaught.lua:9: final words
-- stderr: stack traceback:
-- stderr: in function 'error'
-- stderr: in local 'fails'
-- stderr: in main chunk
print("before")
local function fails() error("final words") end
fails()
print("never")
--> before
