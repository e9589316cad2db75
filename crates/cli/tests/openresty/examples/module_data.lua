-- request: GET /module_data?name=dog
-- request: GET /module_data?name=cat
-- A module is loaded once and keeps what it holds.
local ages = require "lib.ages"
ngx.say(ages.get_age(ngx.var.arg_name), " ", ages.count())
--> 200
--> 3 1
--> 200
--> 4 2
