-- request: GET /encode_args_kinds
ngx.say(ngx.encode_args({["a&b"] = "c=d"}), " ", ngx.encode_args({a = "\195\169 /?"}), " ", ngx.encode_args({[12] = 3}))
ngx.say(ngx.encode_args({a = {true, "x", false}}), " [", ngx.encode_args({}), "]")
ngx.say(ngx.escape_uri("\0\255 ~"), " ", ngx.unescape_uri("%00") == "\0", " ", ngx.unescape_uri("a%2Fb%2fc"), " ", ngx.escape_uri("a=b&c", 0))
ngx.say(#ngx.decode_args("a&a&a").a, " ", ngx.decode_args("").x, " ", ngx.decode_args("a%20b=c%3D")["a b"])
--> 500
