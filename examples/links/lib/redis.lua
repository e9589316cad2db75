-- A small client of Redis over a pooled socket. One with everything is lua-resty-redis, which runs here as it is.
local redis = {}

local TIMEOUT, IDLE, POOL = 1000, 60000, 32

local function open()
  local address = os.getenv("REDIS")
  local sock = ngx.socket.tcp()
  sock:settimeout(TIMEOUT)
  local ok, why
  if address:find("^unix:") then
    ok, why = sock:connect(address, { pool_size = POOL })
  else
    local host, port = address:match("^(.*):(%d+)$")
    ok, why = sock:connect(host, tonumber(port), { pool_size = POOL })
  end
  if not ok then return nil, why end
  return sock
end

local function reply(sock)
  local line, why = sock:receive()
  if not line then return nil, why end
  local kind, rest = line:sub(1, 1), line:sub(2)
  if kind == "+" then return rest end
  if kind == "-" then return nil, rest, true end
  if kind == ":" then return tonumber(rest) end
  if kind ~= "$" then return nil, "not a reply: " .. line:sub(1, 40) end
  local length = tonumber(rest)
  if length < 0 then return ngx.null end
  local data
  data, why = sock:receive(length)
  if not data then return nil, why end
  local ended
  ended, why = sock:receive(2)
  if not ended then return nil, why end
  return data
end

-- One command: its reply (ngx.null for none), or nil and why not. The connection goes back to the pool of this worker.
function redis.call(...)
  local sock, why = open()
  if not sock then return nil, "redis: " .. why end
  local words = { ... }
  local out = { "*", #words, "\r\n" }
  for _, word in ipairs(words) do
    word = tostring(word)
    out[#out + 1] = "$" .. #word .. "\r\n" .. word .. "\r\n"
  end
  local sent
  sent, why = sock:send(out)
  if not sent then return nil, "redis: " .. why end
  local value, failed, said = reply(sock)
  if value == nil and not said then
    sock:close()
    return nil, "redis: " .. failed
  end
  sock:setkeepalive(IDLE, POOL)
  if value == nil then return nil, "redis: " .. failed end
  return value
end

return redis
