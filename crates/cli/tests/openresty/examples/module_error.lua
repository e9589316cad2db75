-- request: GET /module_error
-- A module that is missing or fails is an error that can be caught.
local ok, err = pcall(require, "lib.nowhere")
ngx.say(ok, " ", (tostring(err):match("^module 'lib.nowhere' not found")))
ngx.say(package.loaded["lib.ages"] == require "lib.ages", " ", type(package.preload), " ", type(package.path))
ngx.say(type(require "table.new"), " ", type(require "table.clear"), " ", require("bit").band(12, 10), " ", type(jit), " ", _VERSION)
--> 200
--> false module 'lib.nowhere' not found
--> true table string
--> function function 8 table Lua 5.1
