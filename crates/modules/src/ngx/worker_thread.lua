-- ngx.run_worker_thread. `copy` is bounded in depth, and what it makes is in the VM's memory.
local tools = ...
local require, pcall, type, next, select = tools.require, tools.pcall, tools.type, tools.next, tools.select
local pack, unpack = tools.pack, tools.unpack

local MAX_DEPTH = 100
local REFUSED = { ["function"] = "LUA_TFUNCTION", userdata = "LUA_TUSERDATA", thread = "LUA_TTHREAD" }

-- A copy of data; or nil and what it has that is none.
local function copy(value, depth)
  local kind = type(value)
  if REFUSED[kind] and value ~= tools.null then return nil, "unsupported Lua type: " .. REFUSED[kind] end
  if kind ~= "table" then return value end
  if depth > MAX_DEPTH then return nil, "suspicious circular references, table depth exceed max depth: " .. MAX_DEPTH end
  local new = {}
  for k, v in next, value do
    local key, key_err = copy(k, depth + 1)
    local field, err = copy(v, depth + 1)
    if key_err or err then return nil, key_err or err end
    new[key] = field
  end
  return new
end

local function copy_all(values, what)
  for i = 1, values.n do
    local new, err = copy(values[i], 1)
    if err then return err .. " in the " .. what end
    values[i] = new
  end
end

local function is_text(value) return type(value) == "string" or type(value) == "number" end

return function(...)
  local pool, name, field = ...
  if select("#", ...) < 3 then return false, "expecting at least 3 arguments" end
  if not is_text(pool) then return false, "threadpool should be a string" end
  if not is_text(name) then return false, "module name should be a string" end
  if not is_text(field) then return false, "function name should be a string" end
  local ok, module = pcall(require, name)
  if not ok then return false, module end
  if type(module) ~= "table" then return false, "invalid lua module" end
  local f = module[field]
  if type(f) ~= "function" then return false, "invalid function" end
  local given = pack(select(4, ...))
  local err = copy_all(given, "argument")
  if err then return false, err end
  local results = pack(pcall(f, unpack(given, 1, given.n)))
  if not results[1] then return false, results[2] end
  err = copy_all(results, "return value")
  if err then return false, err end
  return unpack(results, 1, results.n)
end
