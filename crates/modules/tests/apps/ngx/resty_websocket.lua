-- Frames of resty.websocket.protocol: the examples of RFC 6455, section 5.7, and what is refused.
local protocol = require "resty.websocket.protocol"

local function hex(s)
  return (s:gsub(".", function(c) return ("%02x "):format(c:byte()) end))
end

print(protocol._VERSION)
print(hex(protocol.build_frame(true, 1, 5, "Hello", false)))
print(hex(protocol.build_frame(false, 1, 3, "Hel")))
print(hex(protocol.build_frame(true, 0, 2, "lo")))
print(hex(protocol.build_frame(true, 9, 0, "")))
print(hex(protocol.build_frame(true, 2, 126, ("x"):rep(126)):sub(1, 6)))
print(hex(protocol.build_frame(true, 2, 65535, ("x"):rep(65535)):sub(1, 6)))
print(hex(protocol.build_frame(true, 2, 65536, ("x"):rep(65536)):sub(1, 12)))

-- Masked: the same under its key, which is not the same again.
local one, other = protocol.build_frame(true, 1, 100, ("m"):rep(100), true), protocol.build_frame(true, 1, 100, ("m"):rep(100), true)
print(#one, hex(one:sub(1, 2)), one ~= other)
local same = true
for i = 1, 100 do
  local key, byte = one:byte(3 + (i - 1) % 4), one:byte(6 + i)
  -- x xor y = m, bit by bit
  local m = 0
  for bit = 0, 7 do
    local a, b = math.floor(key / 2 ^ bit) % 2, math.floor(byte / 2 ^ bit) % 2
    if a ~= b then m = m + 2 ^ bit end
  end
  same = same and m == ("m"):byte()
end
print(same)

print(pcall(protocol.build_frame, true, 1, 4, "Hello", false))
print(pcall(protocol.recv_frame, {}, 10, true))
print(pcall(protocol.recv_frame))
local sock = ngx.socket.tcp()
print(protocol.recv_frame(sock, 10, true))
print(protocol.send_frame(sock, true, 1, "x", 10, false))
print(protocol.send_frame(sock, true, 1, "xxx", 2, false))
print(protocol.send_frame(sock, true, 8, ("x"):rep(126), 1000, false))
print(protocol.send_frame(sock, false, 9, "", 10, false))

local client = require "resty.websocket.client"
print(client._VERSION, require("resty.websocket.server")._VERSION)
local wb = client:new{timeout = 1000}
print(wb:connect("ws:/x"))
print(wb:connect("http://x/"))
print(wb:connect("wss://"))
print(wb:connect("ws://127.0.0.1:1/"))
print(wb:connect("ws://unix:/nonexistent/sock:/path"))
print(wb:connect("ws://127.0.0.1:1/", {server_name = 1}))
print(wb:connect("ws://127.0.0.1:1/", {key = 1}))
print(pcall(wb.connect, wb, "ws://127.0.0.1:1/", {client_cert = 1}))
print(wb:set_keepalive())
print(client.recv_frame({}))
print(client.send_text({}, "x"))
print(client.close({}))
print(client.set_timeout({}, 1))

--> 0.13
--> 81 05 48 65 6c 6c 6f 
--> 01 03 48 65 6c 
--> 80 02 6c 6f 
--> 89 00 
--> 82 7e 00 7e 78 78 
--> 82 7e ff ff 78 78 
--> 82 7f 00 00 00 00 00 01 00 00 78 78 
--> 106	81 e4 	true
--> true
--> false	resty.websocket:41: bad argument #3 to 'build_frame' (the length of the payload expected)
--> false	bad argument #1 to '?' (bad tcp socket)
--> false	expecting 2 or 3 arguments, but got 0
--> nil	nil	failed to receive the first 2 bytes: closed
--> nil	failed to send frame: closed
--> nil	payload too big
--> nil	too much payload for control frame
--> nil	fragmented control frame
--> 0.13	0.13
--> nil	bad websocket uri
--> nil	bad websocket uri
--> nil	bad websocket uri
--> nil	failed to connect: connection refused
--> nil	failed to connect: no such file or directory
--> nil	SSL server_name must be a string
--> nil	custom Sec-WebSocket-Key must be a string
--> false	client_priv_key must be provided with client_cert
--> nil	closed
--> nil	nil	not initialized yet
--> nil	not initialized yet
--> nil	not initialized
--> nil	nil	not initialized yet
