-- request: GET /process
local process, errlog = require "ngx.process", require "ngx.errlog"
ngx.say(process.type() == "worker" or process.type() == "single", " ", type(process.get_master_pid()))
ngx.say(process.enable_privileged_agent(1))
ngx.say(errlog.raw_log(ngx.ERR, "a line of its own"), " ", type(errlog.get_sys_filter_level()))
ngx.say(errlog.set_filter_level())
ngx.say((select(2, pcall(errlog.raw_log, "x", "y")):gsub("^.-:%d+: ", "")))
ngx.say((select(2, pcall(errlog.raw_log, 99, "y")):gsub("^.-:%d+: ", "")))
--> 200
--> true number
--> nilAPI disabled in the current context
--> nil number
--> nilmissing "level" argument
--> bad argument #1 to 'raw_log' (must be a number)
--> bad log level
