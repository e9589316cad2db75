-- request: GET /socket_until
local sock = assert(ngx.socket.connect("127.0.0.1", tonumber(ngx.var.server_port)))
sock:settimeouts(1000, 1000, 1000)
sock:send("GET /socket_until_body HTTP/1.0\r\nHost: localhost\r\n\r\n")
assert(sock:receiveuntil("\r\n\r\n")())
local reader = sock:receiveuntil("\r\n--abcedhb")
ngx.say(reader())
reader = sock:receiveuntil("_END_")
while true do
  local data, err = reader(4)
  if not data then
    ngx.say("done ", err)
    break
  end
  ngx.say("read: ", data)
end
reader = sock:receiveuntil("!!", {inclusive = true})
ngx.say(reader())
ngx.say(sock:receiveany(3))
ngx.say(sock:receive("*a"))
ngx.say(sock:receive("*l"))
ngx.say(sock:setkeepalive())
--> 200
--> hello, world! -agentless
--> read: hell
--> read: o, w
--> read: orld
--> read: ! -a
--> read: gain
--> read:
--> done nil
--> tail!!
--> res
--> tmore
--> nilclosed
--> nilclosed
