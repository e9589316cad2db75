-- nginx: the packaged one is built without what captures its log
-- request: GET /errlog_capture
local errlog = require "ngx.errlog"
ngx.say(errlog.set_filter_level(ngx.ERR))
ngx.say(errlog.get_logs(1))
--> 200
--> nildirective "lua_capture_error_log" is not set
--> nildirective "lua_capture_error_log" is not set
