ngx.header.content_length = nil
