-- request: GET /worker_thread
ngx.say(ngx.run_worker_thread("pool", "lib.heavy", "sum", 10, {4, 5, deep = {6}}))
ngx.say(ngx.run_worker_thread("pool", "lib.heavy", "missing"))
local ok, err = ngx.run_worker_thread("pool", "lib.heavy", "fails")
ngx.say(ok, " ", (tostring(err):gsub("^.*: ", "")))
ngx.say(ngx.run_worker_thread("pool", "lib.heavy", "sum", print))
--> 200
--> true70done
--> falseinvalid function
--> false no luck
--> falseunsupported Lua type: LUA_TFUNCTION in the argument
