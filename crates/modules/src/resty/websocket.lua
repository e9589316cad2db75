-- resty.websocket: the methods, over frames that the host reads (`receive`) and makes (`build`).
local tools = ...
local type, tostring, tonumber = tools.type, tools.tostring, tools.tonumber
local setmetatable, error, ngx = tools.setmetatable, tools.error, tools.ngx
local match, find, lower, char = tools.string.match, tools.string.find, tools.string.lower, tools.string.char
local concat = tools.table.concat
local receive, build_frame, accept, new_key = tools.receive, tools.build, tools.accept, tools.key

local VERSION = "0.13"
local MAX_PAYLOAD = 65535
-- The longest head of a server's answer, in bytes.
local MAX_HEAD = 65536

-- Frames --------------------------------------------------------------------------------------------

local function send_frame(sock, fin, opcode, payload, max, masking)
  if not payload then
    payload = ""
  elseif type(payload) ~= "string" then
    payload = tostring(payload)
  end
  local length = #payload
  if length > max then return nil, "payload too big" end
  if opcode % 16 >= 8 then
    if length > 125 then return nil, "too much payload for control frame" end
    if not fin then return nil, "fragmented control frame" end
  end
  local frame, err = build_frame(fin and true or false, opcode, length, payload, masking and true or false)
  if not frame then return nil, "failed to build frame: " .. err end
  local bytes
  bytes, err = sock:send(frame)
  if not bytes then return nil, "failed to send frame: " .. err end
  return bytes
end

local protocol = {
  _VERSION = VERSION,
  new_tab = function() return {} end,
  recv_frame = receive,
  build_frame = function(fin, opcode, length, payload, masking)
    return build_frame(fin and true or false, opcode, length, payload, masking and true or false)
  end,
  send_frame = send_frame,
}

-- What both sides have ------------------------------------------------------------------------------

-- Settings of `new`; `masked` is whether this side sends masked frames, `forces` whether it wants them.
local function object(meta, sock, options, masked, forces)
  options = options or {}
  if options.timeout then sock:settimeout(options.timeout) end
  local max = options.max_payload_len or MAX_PAYLOAD
  return setmetatable({
    sock = sock,
    max_recv_len = options.max_recv_len or max,
    max_send_len = options.max_send_len or max,
    max_fragments = options.max_fragments,
    fragments = 0,
    masked = masked,
    forces = forces,
  }, meta)
end

local function add_methods(class)
  function class.set_timeout(self, time)
    local sock = self.sock
    if not sock then return nil, nil, "not initialized yet" end
    return sock:settimeout(time)
  end

  function class.recv_frame(self)
    if self.fatal then return nil, nil, "fatal error already happened" end
    local sock = self.sock
    if not sock then return nil, nil, "not initialized yet" end
    local data, kind, err = receive(sock, self.max_recv_len, self.forces)
    if not data then
      if not find(err, ": timeout", 1, true) then self.fatal = true end
    elseif err == "again" then
      self.fragments = self.fragments + 1
      if self.max_fragments and self.fragments >= self.max_fragments then
        self.fatal = true
        return nil, nil, "exceeding max fragments"
      end
    elseif kind == "continuation" then
      self.fragments = 0
    end
    return data, kind, err
  end

  function class.send_frame(self, fin, opcode, payload)
    if self.fatal then return nil, "fatal error already happened" end
    if self.closed then return nil, "already closed" end
    local sock = self.sock
    if not sock then return nil, "not initialized yet" end
    local bytes, err = send_frame(sock, fin, opcode, payload, self.max_send_len, self.masked)
    if not bytes then self.fatal = true end
    return bytes, err
  end

  local send = class.send_frame
  for name, opcode in tools.pairs({ send_continue = 0, send_text = 1, send_binary = 2, send_ping = 9, send_pong = 10 }) do
    class[name] = function(self, data) return send(self, true, opcode, data) end
  end

  -- `closes`: nothing can be sent behind it.
  local function send_close(self, code, message)
    local payload
    if code then
      if type(code) ~= "number" or code > 0x7fff or code < 0 then return nil, "bad status code" end
      payload = char((code - code % 256) / 256, code % 256) .. (message or "")
    end
    return send(self, true, 8, payload)
  end
  return send_close
end

-- The server ----------------------------------------------------------------------------------------

local server = { _VERSION = VERSION }
local server_meta = { __index = server }
server.send_close = add_methods(server)

local function first(value)
  if type(value) == "table" then return value[1] end
  return value
end

function server.new(_, options)
  if ngx.headers_sent then return nil, "response header already sent" end
  ngx.req.read_body()
  if ngx.req.http_version() ~= 1.1 then return nil, "bad http version" end
  local headers = ngx.req.get_headers()
  local value = first(headers.upgrade)
  if not value or lower(value) ~= "websocket" then
    return nil, 'bad "upgrade" request header: ' .. tostring(value)
  end
  value = first(headers.connection)
  if not value or not find(lower(value), "upgrade", 1, true) then
    return nil, 'bad "connection" request header'
  end
  local key = first(headers["sec-websocket-key"])
  if not key or #key > 1024 then return nil, 'bad "sec-websocket-key" request header' end
  if first(headers["sec-websocket-version"]) ~= "13" then
    return nil, 'bad "sec-websocket-version" request header'
  end
  local protocols = first(headers["sec-websocket-protocol"])
  if protocols then ngx.header["Sec-WebSocket-Protocol"] = protocols end
  ngx.header["Upgrade"] = "websocket"
  ngx.header["Sec-WebSocket-Accept"] = accept(key)
  ngx.header["Content-Type"] = nil
  ngx.status = 101
  local ok, err = ngx.send_headers()
  if not ok then return nil, "failed to send response header: " .. (err or "unknown") end
  ok, err = ngx.flush(true)
  if not ok then return nil, "failed to flush response header: " .. (err or "unknown") end
  local sock
  sock, err = ngx.req.socket(true)
  if not sock then return nil, err end
  return object(server_meta, sock, options, options and options.send_masked, true)
end

-- The client ----------------------------------------------------------------------------------------

local client = { _VERSION = VERSION }
local client_meta = { __index = client }
local send_close = add_methods(client)

function client.send_close(self, code, message)
  local bytes, err = send_close(self, code, message)
  if not bytes then
    if err ~= "bad status code" then self.fatal = true end
  end
  if err ~= "bad status code" then self.closed = true end
  return bytes, err
end

function client.new(_, options)
  local sock, err = ngx.socket.tcp()
  if not sock then return nil, err end
  return object(client_meta, sock, options, not (options and options.send_unmasked), false)
end

-- The parts of a URI: scheme, address, port (or nil), path, whether it is a unix socket.
local function parts(uri)
  if find(uri, "unix:", 1, true) then
    local scheme, address, path = match(uri, "^(wss?)://(unix:[^:]+):(.*)$")
    return scheme, address, nil, path, true
  end
  local scheme, address, rest = match(uri, "^(wss?)://([^:/]+)(.*)$")
  if not scheme then return nil end
  local port, path = match(rest, "^:(%d+)(.*)$")
  return scheme, address, port, path or rest, false
end

-- The lines that options add to the request; nil and why not.
local function more_lines(options)
  local lines = {}
  local protocols = options.protocols
  if type(protocols) == "table" then protocols = concat(protocols, ",") end
  if protocols then lines[#lines + 1] = "Sec-WebSocket-Protocol: " .. protocols end
  if options.origin then lines[#lines + 1] = "Origin: " .. options.origin end
  local headers = options.headers
  if headers then
    if type(headers) ~= "table" then return nil, "custom headers must be a table" end
    for i = 1, #headers do lines[#lines + 1] = headers[i] end
  end
  return lines
end

-- Whether the head of an answer says yes; nil and why not.
local function check_answer(head, key)
  local status = match(head, "^%s*HTTP/1%.1%s+(%d*)")
  if not status then return nil, "bad HTTP response status line: " .. head end
  if status ~= "101" then return nil, "unexpected HTTP response status: " .. status end
  local accepted
  for line in tools.string.gmatch(head, "[^\r\n]+") do
    local name, value = match(line, "^([^:%s]+):%s*(.-)%s*$")
    if name and lower(name) == "sec-websocket-accept" then accepted = value end
  end
  if accepted ~= accept(key) then return nil, 'bad "sec-websocket-accept" response header' end
  return true
end

-- The TLS handshake.
local function secure(sock, options, name)
  local ok, err
  if options.client_cert then
    ok, err = sock:setclientcert(options.client_cert, options.client_priv_key)
    if not ok then return nil, "failed to set TLS client certificate: " .. err end
  end
  ok, err = sock:sslhandshake(false, name, options.ssl_verify)
  if not ok then return nil, "ssl handshake failed: " .. err end
  return true
end

-- Sends the request of a handshake: the head of an answer that says yes; nil and why not.
local function ask(sock, request, key)
  local bytes, err = sock:send(request)
  if not bytes then return nil, "failed to send the handshake request: " .. err end
  local read = sock:receiveuntil("\r\n\r\n")
  local head, piece = "", nil
  repeat
    piece, err = read(MAX_HEAD)
    if piece then head = head .. piece end
  until not piece or #head > MAX_HEAD
  if err then return nil, "failed to receive response header: " .. err end
  if #head > MAX_HEAD then return nil, "failed to receive response header: too long" end
  local ok
  ok, err = check_answer(head, key)
  if not ok then return nil, err end
  return head
end

function client.connect(self, uri, options)
  local sock = self.sock
  if not sock then return nil, "not initialized" end
  options = options or {}
  local scheme, address, port, path, is_unix = parts(uri)
  if not scheme then return nil, "bad websocket uri" end
  local is_secure = scheme == "wss"
  port = port or (is_secure and 443 or 80)
  if path == "" then path = "/" end
  local lines, err = more_lines(options)
  if not lines then return nil, err end
  if options.client_cert and not options.client_priv_key then
    error("client_priv_key must be provided with client_cert", 2)
  end
  for name, what in tools.pairs({ server_name = "SSL server_name", host = "custom host header", key = "custom Sec-WebSocket-Key" }) do
    if options[name] ~= nil and type(options[name]) ~= "string" then return nil, what .. " must be a string" end
  end

  local pooling = { pool = options.pool, pool_size = options.pool_size, backlog = options.backlog }
  local ok
  if is_unix then
    ok, err = sock:connect(address, pooling)
  else
    ok, err = sock:connect(address, port, pooling)
  end
  if not ok then return nil, "failed to connect: " .. err end
  self.fatal, self.closed, self.fragments = nil, nil, 0
  local reused
  reused, err = sock:getreusedtimes()
  if not reused then return nil, "failed to get reused times: " .. tostring(err) end
  if reused > 0 then return 1, nil, "connection reused" end
  if is_secure then
    ok, err = secure(sock, options, options.server_name or options.host or address)
    if not ok then return nil, err end
  end

  local key = options.key or new_key()
  local host = options.host or (is_unix and "unix_sock" or address .. ":" .. port)
  local request = {
    "GET " .. path .. " HTTP/1.1",
    "Upgrade: websocket",
    "Host: " .. host,
    "Sec-WebSocket-Key: " .. key,
    "Sec-WebSocket-Version: 13",
    "Connection: Upgrade",
  }
  for i = 1, #lines do request[#request + 1] = lines[i] end
  for i = 1, #request do
    -- Another request would begin behind it.
    if find(request[i], "[\r\n]") then
      sock:close()
      return nil, "line break in the handshake request"
    end
    if find(request[i], "\0", 1, true) then
      sock:close()
      return nil, "NUL in the handshake request"
    end
  end
  local head
  head, err = ask(sock, concat(request, "\r\n") .. "\r\n\r\n", key)
  if not head then
    sock:close()
    return nil, err
  end
  return 1, nil, head
end

function client.close(self)
  if self.fatal then return nil, "fatal error already happened" end
  local sock = self.sock
  if not sock then return nil, "not initialized" end
  if not self.closed then
    local bytes, err = client.send_close(self)
    if not bytes then return nil, "failed to send close frame: " .. err end
  end
  return sock:close()
end

function client.set_keepalive(self, ...)
  local sock = self.sock
  if not sock then return nil, "not initialized" end
  return sock:setkeepalive(...)
end

return { protocol = protocol, server = server, client = client }
