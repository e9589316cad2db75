-- request: GET /socket_udp
local sock = ngx.socket.udp()
sock:settimeout(100)
ngx.say(sock:setpeername("127.0.0.1", 1))
ngx.say(sock:close())
ngx.say(sock:send("x"))
ngx.say(sock:receive())
--> 200
--> 1
--> 1
--> nilclosed
--> nilclosed
