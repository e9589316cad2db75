-- request: GET /flush_eof_seen
-- after: flush_eof
ngx.say(ngx.shared.results:get("flush_eof"))
--> 200
--> nil seen eof
