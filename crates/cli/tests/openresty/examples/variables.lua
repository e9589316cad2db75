-- Variables of the request are read, one that was declared is written, one that nobody knows is nil.
-- request: GET /variables?colour=red&size
-- set: sum
ngx.var.sum = 12 + 30
ngx.say(ngx.var.sum, " ", type(ngx.var.sum))
ngx.say(ngx.var.arg_colour, " ", ngx.var.arg_size, " ", ngx.var.arg_weight)
ngx.say(ngx.var.args, " ", ngx.var.is_args, " ", ngx.var.query_string)
ngx.say(ngx.var.uri, " ", ngx.var.request_uri, " ", ngx.var.request_method, " ", ngx.var.scheme)
ngx.var.args = "weight=2"
ngx.say(ngx.var.arg_colour, " ", ngx.var.arg_weight, " ", ngx.req.get_uri_args().weight)
ngx.say(ngx.var.http_x_animal, " ", ngx.var.remote_addr, " ", ngx.var.never_heard_of)
--> 200
--> 42 string
--> red nil nil
--> colour=red&size ? colour=red&size
--> /variables /variables?colour=red&size GET http
--> nil 2 2
--> nil 127.0.0.1 nil
