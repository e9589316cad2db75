-- request: GET /set_uri_args?old=1
ngx.req.set_uri_args({list = {"x", "y z"}})
ngx.say(ngx.var.args)
ngx.req.set_uri_args({yes = true})
ngx.say(ngx.var.args)
ngx.req.set_uri_args({no = false})
ngx.say("[", ngx.var.args, "]")
ngx.req.set_uri_args({})
ngx.say("[", ngx.var.args, "] [", ngx.var.is_args, "]")
ngx.req.set_uri_args(12)
ngx.say(ngx.var.args)
ngx.say(pcall(ngx.req.set_uri_args, nil) == false)
--> 200
--> list=x&list=y%20z
--> yes
--> []
--> [] []
--> 12
--> true
