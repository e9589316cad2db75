-- `require` for an app. Modules are kept by file, so two names of one file are one module.
-- A main chunk runs in a coroutine of its own, whose writes go to the app's globals.
local tools = ...
local loaded, find, thread, getinfo = tools.loaded, tools.find, tools.thread, tools.getinfo
local resume, yield, status, running = tools.resume, tools.yield, tools.status, tools.running
local type, error, next, setmetatable = tools.type, tools.error, tools.next, tools.setmetatable
local sleep = tools.sleep
-- Before 5.4 `require` gives the module alone, and in 5.1 a loader gets the name alone.
local gives_path, passes_path = tools.gives_path, tools.passes_path

local function give(module, path)
  if gives_path then return module, path end
  return module
end

local files = {}   -- path -> the module
local loading = {} -- path -> { co = the coroutine that runs its main chunk, waits_for = path or nil }

local finish = { __close = function(entry) loading[entry.path] = nil end }

-- Runs the main chunk; what it yields goes to whoever resumed the requiring coroutine.
local function run(co, ...)
  local ok, value = resume(co, ...)
  while ok and status(co) == "suspended" do
    ok, value = resume(co, yield(value))
  end
  return ok, value
end

-- Notes that the main chunk running in `me`, if it is one, waits for `path` from now on.
local function wait_for(path, me)
  for _, entry in next, loading do
    if entry.co == me then entry.waits_for = path end
  end
end

-- Whether what loads `path` waits, in the end, for `me`: then `me` would wait for ever.
local function is_loop(path, me)
  local entry = loading[path]
  while entry do
    if entry.co == me then return true end
    entry = entry.waits_for and loading[entry.waits_for]
  end
  return false
end

return function(name)
  if type(name) ~= "string" then
    error("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")", 2)
  end
  local module = loaded[name]
  if module ~= nil then return module end
  local preload = type(loaded.package) == "table" and loaded.package.preload
  local loader = type(preload) == "table" and preload[name]
  if loader then
    if passes_path then module = loader(name, ":preload:") else module = loader(name) end
    if module == nil then module = true end
    loaded[name] = module
    return give(module, ":preload:")
  end
  local info = getinfo(2, "S")
  local path, err = find(name, info and info.source or "")
  if not path then error(err, 2) end
  local me = running()
  while loading[path] do
    if is_loop(path, me) then
      error("loop or previous error loading module '" .. name .. "'", 2)
    end
    -- Another request is inside this module's main chunk, waiting for something: so do we.
    wait_for(path, me)
    sleep(0.001)
  end
  module = files[path]
  if module ~= nil then return give(module, path) end
  local co = thread(path, name)
  wait_for(path, me)
  local entry <close> = setmetatable({ co = co, path = path }, finish)
  loading[path] = entry
  local ok, value
  if passes_path then ok, value = run(co, name, path) else ok, value = run(co, name) end
  if not ok then error(value, 0) end
  -- As in lua(1): a chunk that returns nothing may have set package.loaded itself.
  if value == nil then value = loaded[name] end
  if value == nil then value = true end
  files[path] = value
  return give(value, path)
end
