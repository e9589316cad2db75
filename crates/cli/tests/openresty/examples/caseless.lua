-- set: mine
-- request: GET /caseless?Arg=1
-- Names of variables are the same in capitals.
ngx.var.MINE = "x"
ngx.say(ngx.var.mine, " ", ngx.var.Request_Method, " ", ngx.var.ARG_arg, " ", ngx.var.HOST ~= nil)
--> 200
--> x GET 1 true
