-- request: GET /var_headers
-- header: Cookie: a=1; b=2
-- header: User-Agent: test/1
-- header: X-Multi: one
-- header: X-Multi: two
-- header: Host: Example.COM:99
ngx.say(ngx.var.http_user_agent, " ", ngx.var.cookie_a, " ", ngx.var.cookie_b, " ", ngx.var.cookie_c, " ", ngx.var.http_cookie)
ngx.say(ngx.var.host, " ", ngx.var.http_host, " ", ngx.var.server_protocol, " ", ngx.var.https)
ngx.say(ngx.var.request, " | ", ngx.var.document_uri, " | ", ngx.var.content_length, " | ", ngx.var.remote_user)
ngx.header.x_sent = "yes"
ngx.say(ngx.var.sent_http_x_sent, " ", ngx.var.sent_http_nothing, " ", #ngx.var.request_id, " ", #ngx.var.binary_remote_addr)
ngx.say(ngx.var.time_iso8601:match("^%d+%-%d+%-%d+T%d+:%d+:%d+[+-]%d+:%d+$") ~= nil, " ", ngx.var.msec:match("^%d+%.%d%d%d$") ~= nil,
  " ", ngx.var.time_local:match("^%d+/%a+/%d+:%d+:%d+:%d+ [+-]%d+$") ~= nil, " ", ngx.var.request_time:match("^%d+%.%d%d%d$") ~= nil)
--> 200
--> test/1 1 2 nil a=1; b=2
--> example.com Example.COM:99 HTTP/1.1
--> GET /var_headers HTTP/1.1 | /var_headers | nil | nil
--> nil nil 32 4
--> true true true true
