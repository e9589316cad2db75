-- request: GET /uthread_both
-- Reading and writing at once, from two threads.
local sock = assert(ngx.socket.connect("127.0.0.1", tonumber(ngx.var.server_port)))
local reader = ngx.thread.spawn(function()
  local line = sock:receive("*l")
  return line
end)
local writer = ngx.thread.spawn(function()
  ngx.sleep(0.01)
  return sock:send("GET /say HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n")
end)
local _, line = ngx.thread.wait(reader)
ngx.say((line:gsub("HTTP/1.[01]", "HTTP")))
ngx.say(select(2, ngx.thread.wait(writer)) > 10)
sock:close()
--> 200
--> HTTP 200 OK
--> true
