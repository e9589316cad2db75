-- Runs one program in an environment of its own and returns what it did as a text in which nothing depends on addresses or
-- on the order of a table's keys. The machine under test and the reference both run this file, so that a difference in
-- the text is a difference between the two. All versions of the language run it, from 5.1 on.
local MAX_OUTPUT = 20000 -- bytes; what a program writes beyond is dropped
local TICKS = 2400 -- generated programs call tick(n) wherever they could go on for ever
local load, pcall, type, next, tostring, rawget, getmetatable, error = load, pcall, type, next, tostring, rawget, getmetatable, error
local _G, select, loadstring, setfenv = _G, select, loadstring, setfenv
local format, gsub, sub, floor = string.format, string.gsub, string.sub, math.floor
local concat, sort, status = table.concat, table.sort, coroutine.status
local dump, getmeta = string.dump, debug and debug.getmetatable or getmetatable
-- Versions without integers have floats where later ones have integers.
local math_subtypes = math.type
local math_type = math.type or function(v)
  if type(v) == "number" then return "float" end
end

local function pack(...) return { n = select("#", ...), ... } end

-- `load` with an environment, in 5.1 too. A binary chunk is loaded under its own name there.
local function load_in(chunk, mode, env)
  if not setfenv then return load(chunk, "=p", mode, env) end
  local f, message = loadstring(chunk, "=p")
  if f then setfenv(f, env) end
  return f, message
end

local function escape(c) return format("\\%d", c:byte()) end

local function show(v, depth)
  local t = type(v)
  if t == "string" then
    return '"' .. gsub(v, '[^ !#-~]', escape) .. '"'
  elseif t == "number" then
    if v ~= v then return "nan" end -- the sign of a NaN is the processor's business
    if v == 0 and not math_subtypes then return "0 f" end -- in 5.1 a constant zero has the sign of the first one, in 5.2 a key has one
    return math_type(v) == "integer" and format("%d", v) or format("%.17g f", v)
  elseif t == "table" then
    if depth > 2 then return "{...}" end
    local parts = {}
    for k, x in next, v do parts[#parts + 1] = show(k, depth + 1) .. "=" .. show(x, depth + 1) end
    sort(parts)
    return "{" .. concat(parts, ",") .. (getmeta(v) and ",+mt}" or "}")
  elseif t == "thread" then
    return "thread " .. status(v)
  elseif t == "nil" or t == "boolean" then
    return tostring(v)
  end
  return t
end

local function copy(t)
  local new = {}
  for k, v in next, t do new[k] = v end
  return new
end

-- Those that a version does not have are nil there.
local NAMES = { "assert", "error", "getmetatable", "ipairs", "load", "next", "pairs", "pcall", "rawequal", "rawget", "rawlen",
  "rawset", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "collectgarbage", "loadstring", "unpack", "setfenv",
  "getfenv", "newproxy", "gcinfo" }
local LIBRARIES = { "string", "table", "math", "coroutine", "utf8", "bit32" }

local function environment(write)
  local env, ticks = {}, TICKS
  for _, name in next, LIBRARIES do env[name] = _G[name] and copy(_G[name]) end
  for _, name in next, NAMES do env[name] = _G[name] end
  env.string.dump, env.math.random, env.math.randomseed = nil, nil, nil
  function env.tick(n)
    ticks = ticks - n
    if ticks < 0 then error("out of ticks", 0) end
  end
  function env.out(...)
    local values = pack(...)
    for i = 1, values.n do values[i] = show(values[i], 0) end
    write(concat(values, " "))
  end
  -- Strings in loops would double for ever.
  function env.clip(...)
    local v = ...
    if type(v) == "string" and #v > 100 then return sub(v, 1, 100) end
    return ...
  end
  -- The border that counting up finds: `#` may give another where there are holes.
  function env.len(v)
    if type(v) ~= "table" then return #v end
    local n = 0
    while rawget(v, n + 1) ~= nil do n = n + 1 end
    return n
  end
  function env.nn(v)
    if v == nil then return 0 end
    return v
  end
  -- A small integer made of anything, for sums that do not depend on an order.
  function env.num(v)
    if type(v) == "number" and v - v == 0 and v == floor(v) then return floor(v % 256) end
    if type(v) == "string" then return #v end
    return v and 1 or 0
  end
  -- `tostring` without addresses.
  function env.str(v)
    local text = gsub(tostring(v), "0x%x+", "0x")
    return text == "-0" and setfenv and "0" or text
  end
  return env
end

-- What programs share that run in one process: the metatable of strings, and the functions in it.
local shared = {}
for _, t in next, { getmeta(""), getmeta("").__index } do shared[t] = copy(t) end

local function restore()
  for t, content in next, shared do
    for k in next, t do if content[k] == nil then t[k] = nil end end
    for k, v in next, content do if t[k] ~= v then t[k] = v end end
  end
end

-- mode: "run"; "dump": through string.dump and back first; "load": compile only.
return function(source, mode)
  local lines, size = {}, 0
  local function write(line)
    if size < MAX_OUTPUT then
      size = size + #line + 1
      lines[#lines + 1] = line
    end
  end
  local env = environment(write)
  local f, message = load_in(source, "t", env)
  if not f then return "syntax " .. show(message, 0) end
  if mode == "load" then return "compiles" end
  if mode == "dump" and dump then
    f, message = load_in(dump(f), "b", env)
    if not f then return "undump " .. show(message, 0) end
  end
  local results = pack(pcall(f))
  restore()
  for i = 1, results.n do results[i] = show(results[i], 0) end
  write("-> " .. concat(results, " "))
  return concat(lines, "\n")
end
