-- encode and decode of string.buffer.
local tools = ...
local type, error, next, null = tools.type, tools.error, tools.next, tools.null
local char, byte, sub, format = tools.char, tools.byte, tools.sub, tools.format
local concat, floor, pack, unpack = tools.concat, tools.floor, tools.pack, tools.unpack

local MAX_DEPTH = 100

-- A count, shorter if it is small.
local function unsigned(n)
  if n < 0xe0 then return char(n) end
  if n < 0x1fe0 then
    n = n - 0xe0
    return char(0xe0 + floor(n / 256), n % 256)
  end
  return char(0xff, n % 256, floor(n / 256) % 256, floor(n / 65536) % 256, floor(n / 16777216) % 256)
end

local function put(out, text) out[#out + 1] = text end

local encode

local function encode_table(out, t, depth)
  if depth > MAX_DEPTH then error("too deep to serialize", 0) end
  local length, others = #t, 0
  local function is_other(k)
    return not (type(k) == "number" and k >= 1 and k <= length and k == floor(k))
  end
  for k in next, t do
    if is_other(k) then others = others + 1 end
  end
  if length == 0 and others == 0 then return put(out, "\8") end
  if length == 0 then
    put(out, "\9" .. unsigned(others))
  elseif others == 0 then
    put(out, "\12" .. unsigned(length + 1))
  else
    put(out, "\13" .. unsigned(length + 1) .. unsigned(others))
  end
  for i = 1, length do encode(out, t[i], depth) end
  if others == 0 then return end
  for k, v in next, t do
    if is_other(k) then
      encode(out, k, depth)
      encode(out, v, depth)
    end
  end
end

function encode(out, value, depth)
  local kind = type(value)
  if value == nil then
    put(out, "\0")
  elseif kind == "boolean" then
    put(out, value and "\2" or "\1")
  elseif kind == "number" then
    put(out, pack(value))
  elseif kind == "string" then
    put(out, unsigned(0x20 + #value))
    put(out, value)
  elseif kind == "table" then
    encode_table(out, value, depth + 1)
  elseif value == null then
    put(out, "\3")
  else
    error("cannot serialize '" .. kind .. "'", 0)
  end
end

local function octet(text, at)
  local b = byte(text, at)
  if not b then error("unexpected end of buffer", 0) end
  return b
end

-- A count and where what follows it begins.
local function read_unsigned(text, at)
  local b = octet(text, at)
  if b < 0xe0 then return b, at + 1 end
  if b < 0xff then return (b - 0xe0) * 256 + octet(text, at + 1) + 0xe0, at + 2 end
  local n = octet(text, at + 1) + octet(text, at + 2) * 256 + octet(text, at + 3) * 65536 + octet(text, at + 4) * 16777216
  return n, at + 5
end

local decode

local function decode_table(text, at, tag, depth)
  if depth > MAX_DEPTH then error("too deep to serialize", 0) end
  local t, length, others, first = {}, 0, 0, 1
  if tag >= 0x0a then length, at = read_unsigned(text, at) end
  if tag == 0x0a or tag == 0x0b then
    first, length = 0, length - 1
  elseif tag >= 0x0c then
    length = length - 1
  end
  if tag % 2 == 1 then others, at = read_unsigned(text, at) end
  for i = first, length do t[i], at = decode(text, at, depth) end
  for _ = 1, others do
    local k, v
    k, at = decode(text, at, depth)
    if k == nil or k ~= k then error("cannot deserialize tag 0x00", 0) end
    v, at = decode(text, at, depth)
    t[k] = v
  end
  return t, at
end

function decode(text, at, depth)
  local tag = octet(text, at)
  if tag >= 0x20 then
    local n
    n, at = read_unsigned(text, at)
    local last = at + n - 0x20 - 1
    if last > #text then error("unexpected end of buffer", 0) end
    return sub(text, at, last), last + 1
  end
  at = at + 1
  if tag == 0 then return nil, at end
  if tag == 1 then return false, at end
  if tag == 2 then return true, at end
  if tag == 3 then return null, at end
  if tag == 6 then
    local n = octet(text, at) + octet(text, at + 1) * 256 + octet(text, at + 2) * 65536 + octet(text, at + 3) * 16777216
    return n < 0x80000000 and n or n - 0x100000000, at + 4
  end
  if tag == 7 then
    local n = unpack(text, at)
    if not n then error("unexpected end of buffer", 0) end
    return n, at + 8
  end
  if tag >= 8 and tag <= 0x0d then return decode_table(text, at, tag, depth + 1) end
  error(format("cannot deserialize tag 0x%02x", tag), 0)
end

return {
  encode = function(value)
    local out = {}
    encode(out, value, 0)
    return concat(out)
  end,
  decode = function(text)
    if type(text) ~= "string" then error("bad argument #1 to 'decode' (string expected, got " .. type(text) .. ")", 2) end
    local value, at = decode(text, 1, 0)
    if at <= #text then error("left-over data in buffer", 0) end
    return value
  end,
}
