-- The other half of `capture_headers`.
local h = ngx.req.get_headers()
local test = h["X-Test"]
ngx.print(type(test) == "table" and table.concat(test, "+") or test, " ", h["X_Other"], " ", h["Content-Length"])
