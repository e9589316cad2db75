-- ngx.semaphore.
local tools = ...
local new, is_semaphore, await = tools.new, tools.is_semaphore, tools.await
local take, post, count = tools.take, tools.post, tools.count
local type, tonumber, error, setmetatable = tools.type, tools.tonumber, tools.error, tools.setmetatable

local semaphore = { version = tools.version }
local meta = { __index = semaphore }

local function check(self)
  if type(self) ~= "table" or not is_semaphore(self.sem) then error("not a semaphore instance", 3) end
  return self.sem
end

function semaphore.new(n)
  n = tonumber(n) or 0
  if n < 0 then error("no negative number", 2) end
  return setmetatable({ sem = new(n) }, meta)
end

function semaphore.wait(self, seconds)
  local sem = check(self)
  local timeout = tonumber(seconds)
  if not timeout then
    error("bad argument #1 to 'wait' (number expected, got " .. (seconds == nil and "no value" or type(seconds)) .. ")", 2)
  end
  if timeout < 0 then error("no negative number", 2) end
  if take(sem) then return true end
  -- To the millisecond, as there: less than one is no time at all.
  if timeout < 0.001 then return nil, "timeout" end
  if await(sem, timeout) then return true end
  return false, "timeout"
end

function semaphore.post(self, n)
  local sem = check(self)
  n = n and tonumber(n) or 1
  if n < 1 then error("positive number required", 2) end
  post(sem, n)
  return true
end

function semaphore.count(self) return count(check(self)) end

return semaphore
