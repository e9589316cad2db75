-- request: GET /re_gmatch
local it, err = ngx.re.gmatch("hello, world!", "([a-z]+)", "i")
ngx.say(it()[0], " ", it()[1], " ", it(), " ", it())
for m in ngx.re.gmatch("1a2b3", "(?<digit>[0-9])([a-z])?") do ngx.say(m[0], " ", m.digit, " ", m[2]) end
it, err = ngx.re.gmatch("x", "(")
ngx.say(it, " ", err ~= nil)
local n = 0
for m in ngx.re.gmatch("abc", "") do n = n + 1 end
ngx.say(n)
--> 200
--> hello world nil nil
--> 1a 1 a
--> 2b 2 b
--> 3 3 false
--> nil true
--> 4
