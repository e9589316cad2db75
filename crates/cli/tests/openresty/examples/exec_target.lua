-- Where `exec` leads.
ngx.say(ngx.var.uri, " ", ngx.var.args, " ", ngx.ctx.kept, " ", ngx.req.is_internal(), " ", ngx.is_subrequest)
