-- request: GET /set_uri_errors
local function try(...) local ok, err = pcall(...) return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
ngx.say((try(ngx.req.set_uri, "")))
ngx.say((try(ngx.req.set_uri, "/a", true)))
ngx.say((try(ngx.req.set_uri, "/a b?c")), " ", ngx.var.uri)
--> 200
--> false attempt to use zero-length uri
--> false API disabled in the context of content_by_lua*
--> true nil /a b?c
