-- request: GET /numbers
-- Numbers as 5.1 writes them, in output, arguments, headers and digests.
ngx.say(10 / 2, " ", 0.1, " ", 1e15, " ", 1e14, " ", 2 ^ 53, " ", 1 / 3, " ", -0.5, " ", 1e100)
ngx.say({1e15, " ", 123456789012})
ngx.say(ngx.encode_args({n = 5 / 1}), " ", ngx.encode_args({n = 1e15}), " ", ngx.escape_uri(12.5))
ngx.say(ngx.md5(1e15) == ngx.md5("1e+15"), " ", ngx.encode_base64(100 / 2))
ngx.header.x_number = 7 / 1
ngx.say(ngx.header.x_number, " ", type(ngx.header.x_number))
ngx.shared.dogs:set("n", 1.5)
ngx.say(ngx.shared.dogs:get("n"), " ", ngx.shared.dogs:incr("n", 0.25), " ", ngx.shared.dogs:incr("n", -2))
--> 200
--> 5 0.1 1e+15 1e+14 9.007199254741e+15 0.33333333333333 -0.5 1e+100
--> 1e+15 123456789012
--> n=5 n=1e%2B15 12.5
--> true NTA=
--> nil nil
--> 1.5 1.75 -0.25
