ngx.req.set_uri_args({page = 3, word = {"a b", "c"}})
ngx.req.set_uri("/set_uri_done", true)
