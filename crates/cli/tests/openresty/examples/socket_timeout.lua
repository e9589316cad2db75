-- request: GET /socket_timeout
local sock = ngx.socket.tcp()
sock:settimeout(50)
assert(sock:connect("127.0.0.1", tonumber(ngx.var.server_port)))
ngx.say(sock:receive())
ngx.say(sock:receive(5))
ngx.say(sock:close())
--> 200
--> niltimeout
--> niltimeout
--> 1
