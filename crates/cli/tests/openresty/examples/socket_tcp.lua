-- request: GET /socket_tcp
-- This server is the one it talks to.
local sock = ngx.socket.tcp()
sock:settimeout(2000)
local ok, err = sock:connect("127.0.0.1", tonumber(ngx.var.server_port))
ngx.say(ok, " ", err, " ", sock:getreusedtimes())
local request = {"GET /say HTTP/1.1\r\n", {"Host: localhost", "\r\n"}, "Connection: close\r\n\r\n"}
local bytes = sock:send(request)
ngx.say(bytes)
ngx.say((sock:receive()))
local reader = sock:receiveuntil("\r\n\r\n")
local head = reader()
ngx.say(head:lower():find("connection: close", 1, true) ~= nil)
local data, why, partial = sock:receive(10 ^ 6)
ngx.say(data, " ", why, " ", #partial > 0)
ngx.say(sock:close())
ngx.say(sock:send("x"))
ngx.say(sock:close())
--> 200
--> 1 nil 0
--> 57
--> HTTP/1.1 200 OK
--> true
--> nil closed true
--> 1
--> nilclosed
--> nilclosed
