-- What `capture` and others capture.
ngx.req.read_body()
ngx.header["X-Target"] = "yes"
ngx.say(ngx.req.get_method(), " ", ngx.var.args, " ", ngx.req.get_body_data(), " ", ngx.is_subrequest, " ", ngx.req.is_internal())
