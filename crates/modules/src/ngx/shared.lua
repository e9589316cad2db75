-- The methods of ngx.shared's dictionaries that may take long, in steps.
local tools = ...
local check, keys, flush, error = tools.check, tools.keys, tools.flush, tools.error

local function get_keys(...)
  local zone, max = check("get_keys", ...)
  if not zone then error(max, 2) end
  local found, count, from = {}, 0, 0
  repeat from, count = keys(zone, found, count, from, max) until not from
  return found
end

local function flush_expired(...)
  local zone, max = check("flush_expired", ...)
  if not zone then error(max, 2) end
  local count, from = 0, 0
  repeat from, count = flush(zone, count, from, max) until not from
  return count
end

return get_keys, flush_expired
