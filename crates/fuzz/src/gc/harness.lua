-- The operations of the target `gc`, on objects that each have an id. Roots are `slots`, `lost` and what the host holds.
-- Nothing here keeps an object in a variable across a collection: what is alive is what the model says.
local setmetatable, pairs, next, type, pcall, resume, yield = setmetatable, pairs, next, type, pcall, coroutine.resume, coroutine.yield
local create, close, collectgarbage, sort, concat, rep = coroutine.create, coroutine.close, collectgarbage, table.sort, table.concat, string.rep

local slots, lost, log = {}, {}, {}
local ids = setmetatable({}, { __mode = "k" })
local seen = setmetatable({}, { __mode = "v" })
-- What is said to a coroutine lies here and not in its variables.
local mail = {}

local function finalizer(resurrect)
  return function(o)
    log[#log + 1] = ids[o]
    if resurrect then lost[ids[o]] = o end
  end
end
local metatables = {}
for _, mode in pairs({ "", "k", "v", "kv" }) do
  metatables[mode] = {
    none = { __mode = mode },
    plain = { __mode = mode, __gc = finalizer(false) },
    resurrecting = { __mode = mode, __gc = finalizer(true) },
  }
end

-- A coroutine's body: three variables, changed and told as the mail says.
local function serve()
  local a, b, c
  while true do
    yield()
    if mail.set then
      if mail.j == 1 then a = mail.v elseif mail.j == 2 then b = mail.v else c = mail.v end
    elseif mail.j == 1 then mail.v = a elseif mail.j == 2 then mail.v = b else mail.v = c end
  end
end

-- Where a coroutine can be while it waits.
local places = {
  serve,
  function() pcall(serve) end,
  function() return setmetatable({}, { __add = function() serve() end }) + 1 end,
  function() for _ in serve do end end,
  function() sort({ 3, 2, 1 }, function() serve() end) end,
  function() ("x"):gsub("x", serve) end,
  function() local z <close> = setmetatable({}, { __close = function() serve() end }) end,
  function() local co = create(serve) while resume(co) do yield() end end,
  function() pcall(pcall, error, pcall(function(...) serve() end, {}, "x")) end,
  function() return setmetatable({}, { __index = function() serve() end }).x end,
}

local kinds = {
  table = function(_, mode, gc) return setmetatable({}, metatables[mode][gc]) end,
  closure = function()
    local a, b, c
    return function(set, j, v)
      if set then
        if j == 1 then a = v elseif j == 2 then b = v else c = v end
      elseif j == 1 then return a elseif j == 2 then return b else return c end
    end
  end,
  coroutine = function(place)
    local co = create(places[place])
    resume(co)
    return co
  end,
}

local function set(o, j, v)
  local t = type(o)
  if t == "table" then o[j] = v
  elseif t == "function" then o(true, j, v)
  elseif t == "thread" then
    mail.set, mail.j, mail.v = true, j, v
    resume(o)
    mail.v = nil
  end
end

local function get(o, j)
  local t = type(o)
  if t == "table" then return o[j] end
  if t == "function" then return o(false, j) end
  if t == "thread" then
    mail.set, mail.j, mail.v = false, j, nil
    resume(o)
    local v = mail.v
    mail.v = nil
    return v
  end
end

local H = {}

function H.new(slot, id, kind, place, mode, gc)
  local o = kinds[kind](place, mode, gc)
  ids[o], seen[id], slots[slot] = id, o, o
end
function H.link(a, j, b) set(slots[a], j, slots[b]) end
function H.put(a, k, v) slots[a][slots[k]] = slots[v] end
function H.unlink(a, j) set(slots[a], j, nil) end
function H.clear(a) slots[a] = nil end
function H.copy(a, b) slots[a] = slots[b] end
function H.fetch(a, b, j)
  slots[a] = get(slots[b], j)
  return ids[slots[a] or mail] or 0
end
function H.take(a, id)
  slots[a], lost[id] = lost[id], nil
  return slots[a] ~= nil
end
function H.value(a) return slots[a] end
function H.store(a, o) slots[a] = o end
function H.metatable(a, mode, gc) setmetatable(slots[a], metatables[mode][gc]) end
function H.close(a) close(slots[a]) end
function H.collect(option, n) return collectgarbage(option, n) end
-- Garbage of many sizes; an error when the memory is not there.
function H.churn(n)
  local keep = {}
  for i = 1, n do
    keep[i % 8 + 1] = { rep("x", i * 7 % 300), function() return i end, [i] = i }
    keep["k" .. i % 50] = #keep
  end
end
function H.try_churn(n) return pcall(H.churn, n) end

-- A step does not return before the finalizers that wait have run.
function H.progress()
  collectgarbage("step", 0)
  return concat(log, " ")
end

-- The objects that can be reached from the roots and the given ones, one line for each: id and entries.
function H.describe(...)
  local found, queue, lines = {}, {}, {}
  local function name(o)
    if not found[o] then
      found[o] = true
      queue[#queue + 1] = o
    end
    return ids[o]
  end
  local function root(what, t)
    for k, o in next, t do lines[#lines + 1] = what .. k .. " " .. name(o) end
  end
  root("slot ", slots)
  root("lost ", lost)
  root("held ", { ... })
  local at = 1
  while queue[at] do
    local o, entries = queue[at], {}
    if type(o) == "table" then
      for k, v in next, o do
        entries[#entries + 1] = (type(k) == "number" and "#" .. k or name(k)) .. "=" .. name(v)
      end
    else
      for j = 1, 3 do
        local v = get(o, j)
        if v then entries[#entries + 1] = "#" .. j .. "=" .. name(v) end
      end
    end
    sort(entries)
    lines[#lines + 1] = "object " .. ids[o] .. " " .. concat(entries, " ")
    at = at + 1
  end
  local alive = {}
  for id in next, seen do alive[#alive + 1] = id end
  sort(alive)
  lines[#lines + 1] = "seen " .. concat(alive, " ")
  sort(lines)
  return concat(lines, "\n"), concat(log, " ")
end

return H
