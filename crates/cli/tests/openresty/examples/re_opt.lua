-- request: GET /re_opt
local opt = require "ngx.re".opt
ngx.say(pcall(opt, "regex_cache_max_entries", 4) ~= nil, " ", select("#", opt))
ngx.say((select(2, pcall(opt, "no_such_option", 1)):gsub("^.-:%d+: ", "")))
--> 200
--> true 1
--> unrecognized option name
