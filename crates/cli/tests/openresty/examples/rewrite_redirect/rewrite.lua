if ngx.var.arg_go then ngx.redirect("/there", 301) end
ngx.req.set_header("X-Rewritten", "yes")
