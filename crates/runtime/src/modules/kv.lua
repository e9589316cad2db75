-- `kv.transaction`: a function that is run again for as long as what it has read changes meanwhile.
local tools = ...
local read, commit, copy, add, ttl_of = tools.read, tools.commit, tools.copy, tools.add, tools.ttl
local pcall, error, type, tostring = tools.pcall, tools.error, tools.type, tools.tostring
local pack, unpack, setmetatable, max_keys = tools.pack, tools.unpack, tools.setmetatable, tools.max_keys

local MAX_TRIES = 100

-- What transactions have read and are going to write, where no script gets at it. `versions` are by key, and so are `values`,
-- `ttls` (false: the time of the value that is there) and `written`; `failure` is why the transaction cannot go on.
local states = setmetatable({}, { __mode = "k" })

local transaction = {}
local meta = { __index = transaction, __name = "transaction", __metatable = false }

local function state_of(self)
  local state = states[self]
  if not state then error("not a transaction that is running", 3) end
  return state
end

local function key_of(key, name)
  if type(key) == "number" then return tostring(key) end
  if type(key) ~= "string" then
    error("bad argument #1 to '" .. name .. "' (string expected, got " .. (key == nil and "no value" or type(key)) .. ")", 3)
  end
  return key
end

local function check_ttl(seconds, name, position)
  local ttl = ttl_of(seconds)
  if not ttl then error("bad argument #" .. position .. " to '" .. name .. "' (seconds from 0 expected)", 3) end
  return ttl
end

-- Nothing that the function catches makes up for this.
local function fail(state, why)
  state.failure = state.failure or why
  error(why, 0)
end

local function count(state, name)
  state[name] = state[name] + 1
  if state[name] > max_keys then fail(state, "transaction too large") end
end

local function look(state, key)
  if state.written[key] then return state.values[key] end
  local value, version, err = read(key)
  if err then fail(state, err) end
  local known = state.versions[key]
  if not known then
    count(state, "reads")
    state.versions[key] = version
  elseif known ~= version then
    state.is_old = true
    error("conflict", 0)
  end
  return value
end

local function put(state, key, value, ttl)
  if not state.written[key] then count(state, "writes") end
  state.written[key], state.values[key], state.ttls[key] = true, value, ttl
end

function transaction.get(self, key)
  local state = state_of(self)
  return (copy(look(state, key_of(key, "get"))))
end

function transaction.set(self, key, value, ttl)
  local state = state_of(self)
  key, ttl = key_of(key, "set"), check_ttl(ttl, "set", 3)
  local kept, err, is_misuse = copy(value)
  if is_misuse then error(err, 2) end
  if err then fail(state, err) end
  put(state, key, kept, ttl)
end

function transaction.delete(self, key)
  local state = state_of(self)
  put(state, key_of(key, "delete"), nil, 0)
end

function transaction.incr(self, key, by, initial, ttl)
  local state = state_of(self)
  key, ttl = key_of(key, "incr"), check_ttl(ttl, "incr", 4)
  local old = look(state, key)
  local sum, err, is_misuse = add(old, by, initial)
  if is_misuse then error(err, 2) end
  if err then return nil, err end
  if old ~= nil then
    ttl = false
    if state.written[key] then ttl = state.ttls[key] end
  end
  put(state, key, sum, ttl)
  return sum
end

-- What came of one try: whether it was the last, and what the transaction gives.
local function finish(self, state, results)
  states[self] = nil
  if state.is_old then return false end
  if state.failure then return true, pack(nil, state.failure) end
  local is_good = results[1]
  local done, err = commit(state.versions, is_good and state.written or {}, state.values, state.ttls)
  if done == false then return false end
  if not is_good then error(results[2], 0) end
  if not done then return true, pack(nil, err) end
  if results.n == 1 then return true, pack(true) end
  return true, pack(unpack(results, 2, results.n))
end

return function(f, ...)
  if type(f) ~= "function" then
    error("bad argument #1 to 'transaction' (function expected, got " .. (f == nil and "no value" or type(f)) .. ")", 2)
  end
  local arguments = pack(...)
  for _ = 1, MAX_TRIES do
    local self = setmetatable({}, meta)
    local state = { versions = {}, values = {}, ttls = {}, written = {}, reads = 0, writes = 0 }
    states[self] = state
    local is_last, results = finish(self, state, pack(pcall(f, self, unpack(arguments, 1, arguments.n))))
    if is_last then return unpack(results, 1, results.n) end
  end
  return nil, "conflict"
end
