-- request: GET /headers_sent
-- show: X-Early X-Late
ngx.header.x_early = "yes"
ngx.say(ngx.headers_sent)
ngx.say(ngx.headers_sent, " ", ngx.send_headers())
ngx.header.x_late = "no"
ngx.say(pcall(function() ngx.headers_sent = false end))
--> 200
--> X-Early: yes
--> false
--> true 1
--> true
