ngx.req.read_body()
ngx.ctx.length = #ngx.req.get_body_data()
