-- `request` and `response`. The functions in `tools` look at the request being served; where they
-- fail they return nil and a message, which is raised here at the level of the script.
local tools = ...
local type, error, select = tools.type, tools.error, tools.select
local next, setmetatable, tostring = tools.next, tools.setmetatable, tools.tostring
local gsub, find = tools.string.gsub, tools.string.find
local concat = tools.table.concat

-- request ---------------------------------------------------------------------------------------

local field, fields, read_body, read = tools.field, tools.fields, tools.read_body, tools.read
local form, decode, upgrade = tools.form, tools.decode, tools.upgrade

local request = {}

local header_meta = tools.header_meta

-- What is made once per request and kept with what scripts set.
local kept = { query = true, params = true, headers = true, cookies = true }

-- The body, read once; nil and a message if it cannot be.
local function body()
  local own, err = fields()
  if err then return nil, err end
  local text = own.body
  if text == nil then
    text, err = read_body()
    if err then return nil, err end
    own.body = text
  end
  return text
end

local waits = {
  body = body,
  form = function()
    local text, err = body()
    if err then return nil, err end
    local made = form(text)
    fields().form = made
    return made
  end,
}

local methods = {
  json = function()
    local text, err = body()
    if err then error(err, 2) end
    return decode(text)
  end,
  read = function(self, count)
    if self ~= request then count = self end
    local text, err = read(count)
    if err then error(err, 2) end
    return text
  end,
  -- A WebSocket, or nil, why not, and the status that says so.
  upgrade = function(self, options)
    if self ~= request then options = self end
    return upgrade(options)
  end,
}

setmetatable(request, {
  __name = "request",
  __metatable = false,
  __index = function(_, name)
    if type(name) ~= "string" then return nil end
    local value, err
    if kept[name] then
      local own
      own, err = fields()
      if err then error(err, 2) end
      value = own[name]
      if value == nil then
        value = field(name)
        if name == "headers" then setmetatable(value, header_meta) end
        own[name] = value
      end
      return value
    end
    value, err = field(name)
    if value ~= nil then return value end
    if err then error(err, 2) end
    value = methods[name]
    if value ~= nil then return value end
    value = fields()[name]
    if value ~= nil then return value end
    local wait = waits[name]
    if not wait then return nil end
    value, err = wait()
    if err then error(err, 2) end
    return value
  end,
  __newindex = function(_, name, value)
    local own, err = fields()
    if err then error(err, 2) end
    own[name] = value
  end,
})

-- response --------------------------------------------------------------------------------------

local get_status, set_status = tools.get_status, tools.set_status
local get_header, set_header, add_header = tools.get_header, tools.set_header, tools.add_header
local write, flush = tools.write, tools.flush

local response = {}

-- Stores one header, or a list of them; nil and a message if it may not be.
local function store(name, value)
  if type(name) ~= "string" then return nil, "a header's name is a string" end
  name = (gsub(name, "_", "-"))
  if type(value) ~= "table" then
    if value ~= nil then value = tostring(value) end
    return set_header(name, value)
  end
  local ok, err = set_header(name, nil)
  for i = 1, #value do
    if not ok then break end
    ok, err = add_header(name, tostring(value[i]))
  end
  return ok, err
end

local headers = setmetatable({}, {
  __name = "headers",
  __metatable = false,
  __index = function(_, name)
    if type(name) ~= "string" then return nil end
    local value, err = get_header((gsub(name, "_", "-")))
    if err then error(err, 2) end
    return value
  end,
  __newindex = function(_, name, value)
    local ok, err = store(name, value)
    if not ok then error(err, 2) end
  end,
})

-- Writes a value, or what is in a list; nil and a message if there is no room.
local put
function put(value)
  if type(value) ~= "table" then return write(tostring(value)) end
  local ok, err = true, nil
  for i = 1, #value do
    ok, err = put(value[i])
    if not ok then break end
  end
  return ok, err
end

local functions = {
  write = function(self, ...)
    local ok, err = true, nil
    if self ~= response then ok, err = put(self) end
    for i = 1, select("#", ...) do
      if not ok then break end
      ok, err = put((select(i, ...)))
    end
    if not ok then error(err, 2) end
    return response
  end,
  flush = function()
    local ok, err = flush()
    if not ok then error(err, 2) end
  end,
  redirect = function(self, url, status)
    if self ~= response then url, status = self, url end
    if type(url) ~= "string" then error("response:redirect needs a URL", 2) end
    local ok, err = set_header("location", url)
    if ok then ok, err = set_status(status or 302) end
    if not ok then error(err, 2) end
  end,
  -- set_cookie(name, value [, options]) or set_cookie{name=, value=, path=, domain=, max_age=,
  -- expires=, secure=, httponly=, samesite=}
  set_cookie = function(self, name, value, options)
    if self ~= response then name, value, options = self, name, value end
    if type(name) == "table" then options, name, value = name, name.name, name.value end
    options = options or {}
    if type(name) ~= "string" or name == "" or find(name, "[%c%s=;,\"]") then
      error("invalid cookie name", 2)
    end
    value = value == nil and "" or tostring(value)
    if find(value, "[%c;,\"\\]") then
      error("invalid cookie value (control characters, ';', ',', quotes and '\\' need encoding)", 2)
    end
    local parts = { name .. "=" .. value }
    for _, option in next, { "path", "domain", "expires", "max_age", "samesite" } do
      local given = options[option]
      if given ~= nil then
        given = tostring(given)
        if find(given, "[%c;]") then error("invalid cookie " .. option, 2) end
        parts[#parts + 1] = (gsub(option, "_", "-")) .. "=" .. given
      end
    end
    if options.secure then parts[#parts + 1] = "secure" end
    if options.httponly then parts[#parts + 1] = "httponly" end
    local ok, err = add_header("set-cookie", concat(parts, "; "))
    if not ok then error(err, 2) end
  end,
}

setmetatable(response, {
  __name = "response",
  __metatable = false,
  __index = function(_, name)
    if name == "status" then
      local status, err = get_status()
      if err then error(err, 2) end
      return status
    end
    if name == "headers" then return headers end
    return functions[name]
  end,
  __newindex = function(_, name, value)
    local ok, err
    if name == "status" then
      ok, err = set_status(value)
    elseif name == "headers" then
      if type(value) ~= "table" then error("response.headers is a table", 2) end
      ok = true
      for header, text in next, value do
        ok, err = store(header, text)
        if not ok then break end
      end
    else
      err = "response has no field '" .. tostring(name) .. "'"
    end
    if not ok then error(err, 2) end
  end,
})

return request, response
