-- request: GET /re_find
local s = "hello, 1234"
local from, to, err = ngx.re.find(s, "([0-9]+)", "jo")
ngx.say(from, " ", to, " ", s:sub(from, to), " ", err)
from, to = ngx.re.find(s, "([0-9])([0-9]+)", "jo", nil, 2)
ngx.say(from, " ", to, " ", s:sub(from, to))
from, to = ngx.re.find(s, "(?<first>[0-9])|(zzz)", "jo", nil, 2)
ngx.say(from, " ", to)
ngx.say(ngx.re.find(s, "absent"))
local ctx = {pos = 9}
ngx.say(ngx.re.find(s, "[0-9]", "jo", ctx), " ", ctx.pos)
--> 200
--> 8 11 1234 nil
--> 9 11 234
--> nil nil
--> nil
--> 9 10
