-- request: GET /escapes
ngx.say(ngx.escape_uri("https://www.lua.org/a b?c=d&e"), " ", ngx.escape_uri("-_.~!*'()"))
ngx.say(ngx.escape_uri("a/b c?d&e", 0), " ", ngx.escape_uri("a/b c?d&e", 2))
ngx.say(ngx.unescape_uri("b%20r56+7"), " ", ngx.unescape_uri("%zz%4"), " ", ngx.unescape_uri("%u"))
ngx.say(ngx.encode_args({["b r"] = "hello world"}), " ", ngx.encode_args({baz = {32, "hello"}}))
ngx.say(ngx.encode_args({a = true}), " [", ngx.encode_args({b = false}), "] ", ngx.encode_args({c = ""}), " ", ngx.encode_args({d = {}}))
local t = ngx.decode_args("a=1&b=2&b=3&c&d=&%65=%20+")
ngx.say(t.a, " ", t.b[1], t.b[2], " ", t.c, " [", t.d, "] [", t.e, "]")
ngx.say(select(2, ngx.decode_args("a=1&b=2", 1)))
local ok, err = pcall(ngx.encode_args, {a = function() end})
ngx.say(ok, " ", err)
ok, err = pcall(ngx.encode_args, "x")
ngx.say(ok, " ", err)
--> 200
--> https%3A%2F%2Fwww.lua.org%2Fa%20b%3Fc%3Dd%26e -_.~!*'()
--> a/b%20c%3Fd&e a%2Fb%20c%3Fd%26e
--> b r56 7 %zz%4 %u
--> b%20r=hello%20world baz=32&baz=hello
--> a [] c=
--> 1 23 true [] [  ]
--> truncated
--> false attempt to use function as query arg value
--> false bad argument #1 to '?' (table expected, got string)
