-- show: X-Say X-Exec X-Redirect X-Flush
-- request: GET /api_disabled
-- What has no sense in a phase says so.
local function try(f, ...) local ok, err = pcall(f, ...) return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
ngx.say((try(function() return ngx.arg[1] end)))
local seen
ngx.timer.at(0, function()
  seen = {try(ngx.say, "x"), try(function() return ngx.var.uri end), try(ngx.req.get_headers), try(ngx.location.capture, "/say"), try(ngx.exit, 200)}
end)
ngx.sleep(0.02)
for i = 1, 4 do ngx.say(seen and seen[i]) end
--> 200
--> X-Say: false API disabled in the context of header_filter_by_lua*
--> X-Exec: false API disabled in the context of header_filter_by_lua*
--> X-Redirect: false API disabled in the context of header_filter_by_lua*
--> X-Flush: false API disabled in the context of header_filter_by_lua*
--> false API disabled in the current context
--> nil
--> nil
--> nil
--> nil
