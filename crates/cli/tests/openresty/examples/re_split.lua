-- request: GET /re_split
local split = require "ngx.re".split
local function show(...) ngx.say(table.concat((split(...)), "|")) end
show("a,b,c,d", ",")
show("a,b,c,d", "(,)")
show("a,b,c,d", ",", nil, nil, 3)
show("a,b,c,d", ",", nil, {pos = 3})
show("abc", "")
local res, err = split("a,b", "(")
ngx.say(res, " ", err ~= nil)
--> 200
--> a|b|c|d
--> a|,|b|,|c|,|d
--> a|b|c,d
--> b|c|d
--> a|b|c
--> nil true
