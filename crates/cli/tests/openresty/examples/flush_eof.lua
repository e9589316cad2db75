-- request: GET /flush_eof
ngx.say("first ", ngx.flush())
ngx.say("second ", ngx.flush(true))
ngx.say("third")
ngx.eof()
local ok, err = ngx.say("after the end")
ngx.shared.results:set("flush_eof", tostring(ok) .. " " .. tostring(err))
--> 200
--> first nilnothing to flush
--> second 1
--> third
