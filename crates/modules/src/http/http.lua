-- The Lua side of the client: what calls Lua, and where errors are raised.
local tools = ...
local type, error, pcall, setmetatable, rawget = tools.type, tools.error, tools.pcall, tools.setmetatable, tools.rawget
local prepare, ask, begin, write, finish, abort = tools.prepare, tools.ask, tools.begin, tools.write, tools.finish, tools.abort
local result, read, read_all, close, charge = tools.result, tools.read, tools.read_all, tools.close, tools.charge
local encode, decode = tools.encode, tools.decode

local header_meta = tools.header_meta

local methods = {}
local response_meta = { __name = "response", __index = methods }

-- The body, or what is left of it.
local function whole(self)
  local body = rawget(self, "body")
  if body then return body end
  local text, err, work = read_all(rawget(self, 1))
  charge(work)
  if not text then return nil, err end
  return text
end

function methods:json()
  local text, err = whole(self)
  if not text then return nil, err end
  return decode(text)
end

-- Up to n bytes, at least one; "a": all that is left; nil at the end; nil and why.
function methods:read(n)
  local reader = rawget(self, 1)
  if reader == nil then error("only a response to a request with stream = true is read piece by piece", 2) end
  if n == "a" or n == "*a" then return whole(self) end
  if n ~= nil and (type(n) ~= "number" or n < 1) then error("bad argument #1 to 'read' (a number of bytes or 'a' expected)", 2) end
  local text, err, work = read(reader, n)
  charge(work)
  if err then return nil, err end
  return text
end

-- for piece in response:chunks() do ... end; what goes wrong is raised.
function methods:chunks(n)
  return function()
    local text, err = self:read(n)
    if err then error(err, 2) end
    return text
  end
end

function methods:close()
  local reader = rawget(self, 1)
  if reader ~= nil then close(reader) end
end

local function answer(done, err)
  if not done then return nil, err end
  local response, headers = result(done)
  setmetatable(headers, header_meta)
  return setmetatable(response, response_meta)
end

local function send_from(spec, source)
  local sending, err = begin(spec)
  if not sending then return nil, err end
  local wanted = true
  while wanted do
    local ok, piece = pcall(source)
    if not ok then
      abort(sending)
      error(piece, 0)
    end
    if piece == nil then break end
    if type(piece) ~= "string" then
      abort(sending)
      error("the function that gives the body gave a " .. type(piece) .. ", not a string", 0)
    end
    wanted, err = write(sending, piece)
    if err then return nil, err end
  end
  return answer(finish(sending, wanted))
end

-- As raised by the function that the script called.
local function run(method, url, body, options)
  local json
  if options ~= nil then
    if type(options) ~= "table" then error("the options are a table, not a " .. type(options), 3) end
    json = rawget(options, "json")
  end
  if json ~= nil then
    if body ~= nil then error("there is a body beside 'json'", 3) end
    local ok, text = pcall(encode, json)
    if not ok then error(text, 3) end
    body = text
  end
  local spec, source, err = prepare(method, url, body, options, json ~= nil)
  if err then error(err, 3) end
  if source then return send_from(spec, source) end
  return answer(ask(spec))
end

local http = {}

function http.request(url, options)
  if type(url) == "table" then url, options = nil, url end
  local response, err = run(nil, url, nil, options)
  return response, err
end

for name, method in tools.next, { get = "GET", head = "HEAD", delete = "DELETE", options = "OPTIONS" } do
  http[name] = function(url, options)
    local response, err = run(method, url, nil, options)
    return response, err
  end
end

for name, method in tools.next, { post = "POST", put = "PUT", patch = "PATCH" } do
  http[name] = function(url, body, options)
    local response, err = run(method, url, body, options)
    return response, err
  end
end

http.qsencode = tools.qsencode
http.qsparse = tools.qsparse
return http
