-- The methods of a WebSocket.
local tools = ...
local type, error, tostring = tools.type, tools.error, tools.tostring
local receive, encode, send_text, send_binary = tools.receive, tools.encode, tools.send_text, tools.send_binary

local function send(self, message)
  local kind = type(message)
  if kind == "table" then
    message = encode(message)
  elseif kind == "number" then
    message = tostring(message)
  elseif kind ~= "string" then
    error("bad argument #1 to 'send' (string, number or table expected, got " .. kind .. ")", 2)
  end
  return send_text(self, message)
end

local function messages(self)
  return function()
    return receive(self, nil)
  end
end

return {
  receive = receive,
  next = tools.next,
  messages = messages,
  send = send,
  send_binary = send_binary,
  ping = tools.ping,
  close = tools.close,
}
