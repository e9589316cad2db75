-- `mk`. What waits (for the body) is asked for here, in Lua, so that it can wait. Tools that may fail because of what a script gave them
-- return nil and a message, which is raised here at the level of the script.
local tools, meta = ...
local error, next, setmetatable = tools.error, tools.next, tools.setmetatable
local tonumber, type, floor = tools.tonumber, tools.type, tools.math.floor
local own, parse, form, fields = tools.own, tools.parse, tools.form, tools.fields
local request, response = tools.request, tools.response

-- mk.request ------------------------------------------------------------------------------------

local parseargs, parsedata

-- The table of the request being served, made when its script first asks for it.
local function this_request()
  local kept = own()
  local made = kept.request
  if made == nil then
    made = fields()
    made.data = request.body
    made.parseargs, made.parsedata = parseargs, parsedata
    kept.request = made
  end
  return made
end

-- A text in it; a script may have changed it.
local function text(name)
  local value = this_request()[name]
  if type(value) ~= "string" then error("mk.request." .. name .. " is not a string any more", 3) end
  return value
end

function parseargs() return parse(text("query_string")) end
function parsedata() return form(text("data")) end

-- mk.response -----------------------------------------------------------------------------------

local get_status, set_status = tools.get_status, tools.set_status
local sent_headers, set_header = tools.sent_headers, tools.set_header

local headers = setmetatable({}, {
  __name = "headers",
  __metatable = false,
  __index = function(_, name) return response.headers[name] end,
  __newindex = function(_, name, value)
    local ok, err = set_header(name, value)
    if not ok then error(err, 2) end
  end,
  __pairs = function() return next, sent_headers(), nil end,
})

-- Puts other headers in the place of those that were set; nil and a message if they may not be.
local function replace_headers(given)
  if type(given) ~= "table" then return nil, "mk.response.headers is a table" end
  local ok, err = true, nil
  for name in next, sent_headers() do ok, err = set_header(name, nil) end
  for name, value in next, given do
    if not ok then break end
    ok, err = set_header(name, value)
  end
  return ok, err
end

local this_response = setmetatable({}, {
  __name = "response",
  __metatable = false,
  __index = function(_, name)
    if name == "status" then return get_status() end
    if name == "headers" then return headers end
    return nil
  end,
  __newindex = function(_, name, value)
    local ok, err = nil, "mk.response has status and headers"
    if name == "status" then
      ok, err = set_status(value)
    elseif name == "headers" then
      ok, err = replace_headers(value)
    end
    if not ok then error(err, 2) end
  end,
})

local function replace_response(given)
  if type(given) ~= "table" then return nil, "mk.response is a table" end
  local ok, err = set_status(given.status or 200)
  if ok then ok, err = replace_headers(given.headers or {}) end
  return ok, err
end

-- mk.cookies ------------------------------------------------------------------------------------

local date = tools.date

local function set_cookie(cookie)
  if type(cookie) ~= "table" then
    error("bad argument #1 to 'set_cookie' (table expected, got " .. (cookie == nil and "no value" or type(cookie)) .. ")", 2)
  end
  local path, expires = cookie.path or "/", nil
  if type(path) == "string" and path:sub(1, 1) ~= "/" then path = "/" .. path end
  if cookie.expiry ~= nil then
    local expiry = tonumber(cookie.expiry)
    if not expiry or expiry ~= expiry or expiry > 253402300799 then
      error("a cookie's expiry is a number of seconds since 1970", 2)
    end
    if expiry > 0 then expires = date(floor(expiry)) end
  end
  -- The last call, so that what it raises is raised where the script is.
  return response.set_cookie {
    name = cookie.name,
    value = cookie.value,
    path = path,
    domain = cookie.domain ~= "" and cookie.domain or nil,
    expires = expires,
    secure = cookie.secure == true,
    httponly = cookie.httponly == true,
  }
end

-- mk itself -------------------------------------------------------------------------------------

local shared = {
  print = tools.print,
  response = this_response,
  cookies = setmetatable({}, {
    __metatable = false,
    __index = { get_cookies = tools.get_cookies, set_cookie = set_cookie },
    __newindex = function() error("mk.cookies cannot be changed", 2) end,
  }),
}

function meta.__index(_, name)
  local value = shared[name]
  if value ~= nil then return value end
  if name == "request" then return this_request() end
  if name == "config" then
    shared.config = tools.config()
    return shared.config
  end
  return own()[name]
end

function meta.__newindex(_, name, value)
  local ok, err = true, nil
  if name == "response" then
    ok, err = replace_response(value)
  elseif shared[name] ~= nil or name == "config" then
    ok, err = nil, "mk." .. name .. " cannot be changed"
  else
    own()[name] = value
  end
  if not ok then error(err, 2) end
end
