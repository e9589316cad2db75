-- Where `set_uri` leads.
local args = ngx.req.get_uri_args()
ngx.say(ngx.var.uri, " ", args.page, " ", table.concat(args.word, ","), " ", ngx.var.request_uri)
ngx.req.set_uri("/elsewhere")
ngx.req.set_uri_args("a=3&b=hello%20world")
ngx.say(ngx.var.uri, " ", ngx.var.args)
