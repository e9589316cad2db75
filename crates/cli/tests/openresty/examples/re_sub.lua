-- request: GET /re_sub
ngx.say(ngx.re.sub("hello, 1234", "([0-9])[0-9]", "[$0][$1]"))
local s, n, err = ngx.re.sub("hello, 1234", "[0-9]", "${0}00")
ngx.say(s, " ", n, " ", err)
ngx.say((ngx.re.sub("hello, 1234", "[0-9]", "$$")))
ngx.say((ngx.re.sub("hello, 1234", "([0-9])[0-9]", function(m) return "[" .. m[0] .. "][" .. m[1] .. "]" end, "jo")))
s, n = ngx.re.gsub("hello, world", "([a-z])[a-z]+", "[$0,$1]", "i")
ngx.say(s, " ", n)
s, n = ngx.re.gsub("hello, world", "([a-z])[a-z]+", function(m) return "[" .. m[0] .. "," .. m[1] .. "]" end, "i")
ngx.say(s, " ", n)
s, n, err = ngx.re.gsub("a", "(", "x")
ngx.say(s, " ", n, " ", err ~= nil)
s, n, err = ngx.re.sub("a", "a", "$name")
ngx.say(s, " ", n, " ", err ~= nil)
--> 200
--> hello, [12][1]341
--> hello, 100234 1 nil
--> hello, $234
--> hello, [12][1]34
--> [hello,h], [world,w] 2
--> [hello,h], [world,w] 2
--> nil nil true
--> nil nil true
