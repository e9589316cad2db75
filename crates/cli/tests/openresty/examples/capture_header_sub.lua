-- The other half of `capture_header`.
ngx.header["X-Mine"] = "child"
ngx.header.content_type = "text/child"
ngx.header["Set-Cookie"] = {"a=1", "b=2"}
ngx.print(ngx.req.get_headers()["X-Given"])
