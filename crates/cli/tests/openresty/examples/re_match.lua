-- request: GET /re_match
local m, err = ngx.re.match("hello, 1234", "[0-9]+")
ngx.say(m[0])
m = ngx.re.match("hello, 1234", "([0-9])[0-9]+")
ngx.say(m[0], " ", m[1])
m = ngx.re.match("hello, 1234", "([0-9])(?<remaining>[0-9]+)")
ngx.say(m[0], " ", m[1], " ", m[2], " ", m["remaining"])
m = ngx.re.match("hello, world", "(world)|(hello)|(?<named>howdy)")
ngx.say(m[0], " ", m[1], " ", m[2], " ", m[3], " ", m["named"])
ngx.say(ngx.re.match("Hello, world", "HELLO", "i")[0], " ", ngx.re.match("a\nb", "^b", "m")[0], " ", ngx.re.match("a\nb", "a.b", "s") ~= nil)
local ctx = {pos = 1}
m = ngx.re.match("1234, hello", "[0-9]+", "", ctx)
ngx.say(m[0], " ", ctx.pos)
ctx.pos = 2
m = ngx.re.match("1234, hello", "[0-9]+", "", ctx)
ngx.say(m[0], " ", ctx.pos)
local caps = {[5] = "old"}
m = ngx.re.match("hello, 1234", "([0-9])[0-9]+", "", nil, caps)
ngx.say(m == caps, " ", caps[0], " ", caps[1], " ", caps[5])
m, err = ngx.re.match("hello, world", "(abc")
ngx.say(m, " ", err ~= nil)
ngx.say(ngx.re.match("nothing", "[0-9]"))
m = ngx.re.match("hello", "(hel)(?<x>l)?(?<x>o)", "J")
ngx.say(m and m[0] or "none")
m = ngx.re.match("ab ab", "a  b", "x") ngx.say(m[0])
m = ngx.re.match("xab", "ab", "a") ngx.say(m)
--> 200
--> 1234
--> 1234 1
--> 1234 1 234 234
--> hello false hello false false
--> Hello b true
--> 1234 5
--> 234 5
--> true 1234 1 old
--> nil true
--> nil
--> none
--> ab
--> nil
