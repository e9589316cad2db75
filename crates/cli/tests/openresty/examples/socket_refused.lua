-- request: GET /socket_refused
local sock = ngx.socket.tcp()
ngx.say(sock:connect("127.0.0.1", 1))
ngx.say(sock:receive())
ngx.say(sock:send("x"))
ngx.say(sock:setkeepalive())
ngx.say(sock:connect("unix:/nonexistent/x.sock"))
--> 200
--> nilconnection refused
--> nilclosed
--> nilclosed
--> nilclosed
--> nilno such file or directory
