ngx.header["X-Filtered"] = ngx.get_phase()
ngx.header.content_length = nil
