-- resty.lock: a lock is a key that whoever holds it has added to a dictionary.
local tools = ...
local shared, hold, sleep = tools.shared, tools.hold, tools.sleep
local min, max, setmetatable = tools.min, tools.max, tools.setmetatable

local lock = { _VERSION = "0.09" }
local meta = { __index = lock }

function lock.new(_, name, opts)
  local dict = shared[name]
  if not dict then return nil, "dictionary not found" end
  opts = opts or {}
  local exptime = opts.exptime or 30
  local timeout, step = opts.timeout, opts.step
  if timeout then
    timeout = min(timeout, exptime)
    if step then step = min(step, timeout) end
  end
  return setmetatable({
    hold = hold(dict),
    dict = dict,
    timeout = timeout or 5,
    exptime = exptime,
    step = step or 0.001,
    ratio = opts.ratio or 2,
    max_step = opts.max_step or 0.5,
  }, meta)
end

function lock.lock(self, key)
  if not key then return nil, "nil key" end
  local hold, exptime = self.hold, self.exptime
  if hold:is_held() then return nil, "locked" end
  local err = hold:take(key, exptime)
  local step, left, elapsed = self.step, self.timeout, 0
  while err == "exists" and left > 0 do
    sleep(step)
    elapsed = elapsed + step
    left = left - step
    err = hold:take(key, exptime)
    step = min(max(0.001, step * self.ratio), left, self.max_step)
  end
  if err == "exists" then return nil, "timeout" end
  if err then return nil, err end
  self.key = key
  return elapsed
end

function lock.unlock(self)
  if not self.hold:release() then return nil, "unlocked" end
  return 1
end

function lock.expire(self, time)
  local hold = self.hold
  if not hold:is_held() then return nil, "unlocked" end
  local err = hold:extend(time or self.exptime)
  if err then return nil, err end
  return true
end

return lock
