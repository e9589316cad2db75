-- A Redis GET over a pooled connection. The same file is served by nginx.
local socket = ngx.socket.tcp()
socket:settimeout(1000)
assert(socket:connect("127.0.0.1", 6399))
assert(socket:send("*2\r\n$3\r\nGET\r\n$8\r\ngreeting\r\n"))
local length = tonumber(assert(socket:receive()):sub(2))
local value = length >= 0 and assert(socket:receive(length + 2)):sub(1, length)
assert(socket:setkeepalive(10000, 100))
ngx.say(value)
