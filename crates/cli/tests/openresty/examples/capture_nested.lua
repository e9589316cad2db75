-- request: GET /capture_nested?depth=3
local depth = tonumber(ngx.var.arg_depth)
if depth == 0 then return ngx.print("bottom") end
local res = ngx.location.capture("/capture_nested", {args = {depth = depth - 1}})
ngx.print("(", res.status, " ", res.body, ")")
--> 200
--> (200 (200 (200 bottom)))
