-- What `capture_status` captures.
local how = ngx.var.arg_how
if how == "exit" then ngx.exit(403) end
if how == "error" then error("on purpose") end
if how == "redirect" then ngx.redirect("/elsewhere") end
if how == "status" then ngx.status = 201 ngx.print("made") end
if how == "exec" then ngx.exec("/exec_target", "a=1") end
