-- resty.limit.req.
local tools = ...
local ngx, pack, unpack = tools.ngx, tools.pack, tools.unpack
local setmetatable, type, assert, abs, max = tools.setmetatable, tools.type, tools.assert, tools.abs, tools.max

local limit = { _VERSION = "0.09" }
local meta = { __index = limit }

function limit.new(name, rate, burst)
  local dict = ngx.shared[name]
  if not dict then return nil, "shared dict not found" end
  assert(rate > 0 and burst >= 0)
  return setmetatable({ dict = dict, rate = rate * 1000, burst = burst * 1000 }, meta)
end

-- What is in excess now, and when the last request that counts came; or nil and why that is not known.
local function read(self, key)
  local record, err = self.dict:get(key)
  if record == nil then return nil, nil, err end
  if type(record) ~= "string" or #record ~= 16 then return nil, nil, "shdict abused by other users" end
  return unpack(record)
end

function limit.incoming(self, key, commit)
  local now = ngx.now() * 1000
  local excess, last, err = read(self, key)
  if err then return nil, err end
  if excess then
    -- A clock that went back takes nothing away.
    excess = max(excess - self.rate * abs(now - last) / 1000 + 1000, 0)
    if excess > self.burst then return nil, "rejected" end
  else
    excess = 0
  end
  if commit then
    self.dict:set(key, pack(excess, now))
  end
  return excess / self.rate, excess / 1000
end

function limit.uncommit(self, key)
  local excess, last, err = read(self, key)
  if err then return nil, err end
  if not excess then return nil, "not found" end
  self.dict:set(key, pack(max(excess - 1000, 0), last))
  return true
end

function limit.set_rate(self, rate) self.rate = rate * 1000 end
function limit.set_burst(self, burst) self.burst = burst * 1000 end

return limit
