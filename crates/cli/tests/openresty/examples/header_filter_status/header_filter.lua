if ngx.status == 404 then
  ngx.status = 200
  ngx.header.content_length = nil
  ngx.header["X-Was"] = "404"
end
ngx.header.x_removed = nil
ngx.header["X-Type"] = ngx.header.content_type
