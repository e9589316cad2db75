-- `require` for an app. Modules are kept by file, so two names of one file are one module.
-- A main chunk runs in a coroutine of its own, whose writes go to the app's globals; in a task, which has its own instances of the
-- modules, to the task's.
local tools = ...
local shared, find, fetch, thread, getinfo = tools.loaded, tools.find, tools.fetch, tools.thread, tools.getinfo
local resume, yield, status, running = tools.resume, tools.yield, tools.status, tools.running
local type, error, next, setmetatable = tools.type, tools.error, tools.next, tools.setmetatable
local rawget, rawset, sleep, task_modules, environment = tools.rawget, tools.rawset, tools.sleep, tools.task_modules, tools.environment
-- Before 5.4 `require` gives the module alone, and in 5.1 a loader gets the name alone.
local gives_path, passes_path = tools.gives_path, tools.passes_path

local function give(module, path)
  if gives_path then return module, path end
  return module
end

-- What there was before the app's own code ran: all tasks share it.
local built_in = {}
for name, module in next, shared do built_in[name] = module end
local of_builtins = { __index = built_in }

local app = {
  loaded = shared,
  files = {},   -- path -> the module
  loading = {}, -- path -> { co = the coroutine that runs its main chunk, waits_for = path or nil }
}

-- The modules of the current task, or the app's.
local function modules()
  local own = task_modules()
  if not own then return app end
  if not own.files then
    own.loaded = setmetatable({}, of_builtins)
    own.files, own.loading = {}, {}
    local package = setmetatable({ loaded = own.loaded }, { __index = shared.package })
    own.loaded.package = package
    environment.package = package
  end
  return own
end

local finish = { __close = function(entry) entry.loading[entry.path] = nil end }

-- Runs the main chunk; what it yields goes to whoever resumed the requiring coroutine.
local function run(co, ...)
  local ok, value = resume(co, ...)
  while ok and status(co) == "suspended" do
    ok, value = resume(co, yield(value))
  end
  return ok, value
end

-- Notes that the main chunk running in `me`, if it is one, waits for `path` from now on.
local function wait_for(loading, path, me)
  for _, entry in next, loading do
    if entry.co == me then entry.waits_for = path end
  end
end

-- Whether what loads `path` waits, in the end, for `me`: then `me` would wait for ever.
local function is_loop(loading, path, me)
  local entry = loading[path]
  while entry do
    if entry.co == me then return true end
    entry = entry.waits_for and loading[entry.waits_for]
  end
  return false
end

-- What a module has filled `exports` with; `scope` is the environment of its main chunk, if it has one of its own.
local function exported(scope)
  local exports = scope and rawget(scope, "exports")
  if type(exports) ~= "table" or next(exports) ~= nil then return exports or nil end
end

return function(name)
  if type(name) ~= "string" then
    error("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")", 2)
  end
  local here = modules()
  local loaded, files, loading = here.loaded, here.files, here.loading
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
  local source = info and info.source or ""
  local path, err = find(name, source)
  if not path and not err then path, err = fetch(name, source) end
  if not path then error(err, 2) end
  local me = running()
  while loading[path] do
    if is_loop(loading, path, me) then
      error("loop or previous error loading module '" .. name .. "'", 2)
    end
    -- Another request is inside this module's main chunk, waiting for something: so do we.
    wait_for(loading, path, me)
    sleep(0.001)
  end
  module = files[path]
  if module ~= nil then return give(module, path) end
  local co, scope = thread(path, name, here == app)
  wait_for(loading, path, me)
  local entry <close> = setmetatable({ co = co, path = path, loading = loading }, finish)
  loading[path] = entry
  local ok, value
  if passes_path then ok, value = run(co, name, path) else ok, value = run(co, name) end
  if not ok then error(value, 0) end
  -- As in lua(1): a chunk that returns nothing may have set package.loaded itself.
  if value == nil then value = loaded[name] end
  if value == nil then value = exported(scope) end
  if value == nil then value = true end
  files[path] = value
  -- A name that means the same file to everybody is there for all to see.
  if find(name, "") == path then loaded[name] = value end
  return give(value, path)
end
