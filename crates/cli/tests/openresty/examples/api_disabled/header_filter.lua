local function try(f, ...) local ok, err = pcall(f, ...) return tostring(ok) .. " " .. tostring(err):gsub("^.-:%d+: ", "") end
ngx.header.x_say = try(ngx.say, "x")
ngx.header.x_exec = try(ngx.exec, "/say")
ngx.header.x_redirect = try(ngx.redirect, "/say")
ngx.header.x_flush = try(ngx.flush)
ngx.header.x_arg = try(function() return ngx.arg[1] end)
