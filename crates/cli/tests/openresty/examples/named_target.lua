-- path: @named_target
ngx.say(ngx.var.uri, " ", ngx.var.args, " ", ngx.req.is_internal(), " ", ngx.get_phase())
