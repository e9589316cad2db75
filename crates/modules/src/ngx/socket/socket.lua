-- ngx.socket: what is made of the native functions. The state of an iterator, how much of its text it has seen, is in the iterator.
local tools = ...
local select, error, tonumber, type = tools.select, tools.error, tools.tonumber, tools.type
local read_until = tools.read_until
local tcp, udp, methods = tools.tcp, tools.udp, tools.tcp_methods

-- The iterator of receiveuntil.
local function make_iterator(sock, text, inclusive)
  local state = 0

  local function finish(new_state, ...)
    state = new_state
    return ...
  end

  return function(...)
    local count = select("#", ...)
    if count > 1 then
      error("expecting 0 or 1 argument, but seen " .. count, 2)
    end
    if count == 1 and not tonumber((...)) then
      error("bad argument #1 to 'receiveuntil' (number expected, got " .. type((...)) .. ")", 2)
    end
    return finish(read_until(sock, text, inclusive, state, ...))
  end
end

local function connect(...)
  local sock = tcp()
  local ok, err = methods.connect(sock, ...)
  if not ok then
    return nil, err
  end
  return sock
end

return {
  tcp = tcp,
  stream = tcp,
  udp = udp,
  connect = connect,
}, make_iterator
