-- Waits in every place where Lua code runs. Each row: what, what it gives, and a function in which `wait(text)` gives the text after it has
-- read a socket, slept and received a message. What differs is printed; so is a row that has not waited. `is_task`: whether a task runs this,
-- whose timers and light threads have no mailbox.
local waits = require "waits"
local wait = waits.wait
local is_51 = _VERSION == "Lua 5.1"
local load, unpack, concat = load, unpack or table.unpack, table.concat
local is_task = ...
local elsewhere = is_task and waits.wait_without_mailbox or wait
local rows = 0

local function show(...)
  local texts = {}
  for i = 1, select("#", ...) do texts[i] = tostring((select(i, ...))) end
  return concat(texts, " ")
end

local function row(what, expected, f)
  rows = rows + 1
  local before = waits.count
  local got = show(f())
  if got ~= expected then print(what .. ": " .. got) end
  if waits.count == before then print(what .. ": it did not wait") end
end

-- A row of one version: a text, which the others need not be able to read.
local function row_of(version, what, expected, text)
  if is_51 == (version == "5.1") then
    row(what, expected, assert((loadstring or load)("local wait = ... return function() " .. text .. " end"))(wait))
  end
end

-- A place where waiting is refused: how.
local function refused(what, expected, f)
  rows = rows + 1
  local before = waits.count
  local got = show(f())
  if got ~= expected or waits.count ~= before then print(what .. ": " .. got) end
end

local function object(event, f) return setmetatable({}, { [event] = f or function() return wait(event) end }) end

-- Protected calls.
row("pcall", "true a", function() return pcall(wait, "a") end)
row("pcall of an error", "false e", function() return pcall(function() error(wait("e"), 0) end) end)
row("pcall in pcall", "true false e", function()
  return pcall(pcall, function() error(wait("e"), 0) end)
end)
row("xpcall", "true a", function() return xpcall(function() return wait("a") end, print) end)
row("xpcall's handler", "false handled e", function()
  return xpcall(function() error("e", 0) end, function(e) return wait("handled " .. e) end)
end)
row("xpcall's handler, of an error of the VM's", "false true", function()
  local ok, e = xpcall(function() return nil + 1 end, function(e) wait("x") return e end)
  return ok, e:find("arithmetic") ~= nil
end)
row("an error in xpcall's handler", "false handled f", function()
  local n = 0
  return xpcall(function() error("e", 0) end, function(e)
    n = n + 1
    wait("x")
    if n == 1 then error("f", 0) end
    return "handled " .. e
  end)
end)

-- Metamethods.
row("__index", "__index", function() return object("__index").field end)
row("__index of a method", "m", function()
  return object("__index", function(_, k) return function() return wait(k) end end):m()
end)
row("__index of __index", "k", function()
  local t = object("__index", function(_, k) return wait(k) end)
  return setmetatable({}, { __index = setmetatable({}, { __index = t }) }).k
end)
row("__newindex", "nil v", function()
  local kept
  local t = object("__newindex", function(_, _, v) kept = wait(v) end)
  t.x = "v"
  return rawget(t, "x"), kept
end)
row("__call", "__call", function() return (object("__call")()) end)
row("__call in a tail position", "__call", function() return object("__call")() end)
row("__add", "__add", function() return object("__add") + 1 end)
row("__sub", "__sub", function() return 1 - object("__sub") end)
row("__mul", "__mul", function() return object("__mul") * 1 end)
row("__div", "__div", function() return object("__div") / 1 end)
row("__mod", "__mod", function() return object("__mod") % 1 end)
row("__pow", "__pow", function() return object("__pow") ^ 1 end)
row("__unm", "__unm", function() return -object("__unm") end)
row("__concat", "__concat", function() return "x" .. object("__concat") end)
row("__concat of many", "abc", function()
  local c = setmetatable({}, { __concat = function(a, b) return (type(a) == "string" and a or "b") .. wait(type(b) == "string" and b or "b") end })
  return "a" .. c .. "c"
end)
local compared = { __eq = function() return wait("x") == "x" end, __lt = function() return wait("x") == "x" end,
  __le = function() return wait("x") == "y" end }
local function two() return setmetatable({}, compared), setmetatable({}, compared) end
row("__eq", "true false", function() local a, b = two() return a == b, a ~= b end)
row("__lt", "true true", function() local a, b = two() return a < b, a > b end)
row("__le", "false false", function() local a, b = two() return a <= b, a >= b end)
row("__lt in a condition", "less", function() local a, b = two() if a < b then return "less" end return "not" end)
row("__tostring", "text", function() return tostring(object("__tostring", function() return wait("text") end)) end)
row("__tostring by string.format", "<text>", function()
  return ("<%s>"):format(object("__tostring", function() return wait("text") end))
end)
row_of("5.1", "__le by __lt", "false", [=[
    local m = { __lt = function() return wait("x") == "x" end }
    return setmetatable({}, m) <= setmetatable({}, m)
  ]=])
row_of("5.1", "__len of a proxy", "3", [=[
    local p = newproxy(true)
    getmetatable(p).__len = function() return #wait("abc") end
    return #p
  ]=])
row_of("5.1", "setfenv", "name", [=[
    local f = setfenv(function() return name end, setmetatable({}, { __index = function(_, k) return wait(k) end }))
    return f()
  ]=])
row_of("5.1", "table.foreach", "stopped", [=[return table.foreach({ "a", "b" }, function(i, v) wait(v) if i == 2 then return "stopped" end end)]=])
row_of("5.1", "table.foreachi", "stopped", [=[return table.foreachi({ "a", "b" }, function(i, v) wait(v) if i == 2 then return "stopped" end end)]=])
for event, operation in pairs { __idiv = "o // 1", __band = "o & 1", __bor = "1 | o", __bxor = "o ~ 1", __shl = "o << 1",
  __shr = "1 >> o", __bnot = "~o", __len = "#o" } do
  row_of("5.4", event, event, ("local o = setmetatable({}, { EVENT = function() return wait('EVENT') end }) return ")
    :gsub("EVENT", event) .. operation)
end

-- Variables that are closed.
local guard = "local out = {} local function guard(n) return setmetatable({}, { __close = function(_, e) "
  .. "out[#out + 1] = wait(n .. (e and '!' .. e or '')) end }) end "
row_of("5.4", "__close", "r a b", guard .. [=[
  local function f() local b <close> = guard("b") local a <close> = guard("a") return "r" end
  return f(), out[1], out[2]]=])
row_of("5.4", "__close at a break", "a 1", guard .. [=[
  local n = 0
  while true do local a <close> = guard("a") n = n + 1 break end
  return out[1], n]=])
row_of("5.4", "__close of a generic for", "a 3", guard .. [=[
  local n
  for i in function(_, i) return (i or 0) + 1 end, nil, nil, guard("a") do n = i if i == 3 then break end end
  return out[1], n]=])
row_of("5.4", "__close during an error", "false e a!e b!e", guard .. [=[
  local ok, e = pcall(function() local b <close> = guard("b") local a <close> = guard("a") error("e", 0) end)
  return ok, e, out[1], out[2]]=])
row_of("5.4", "an error in __close", "false g a!g", guard .. [=[
  local ok, e = pcall(function()
    local a <close> = guard("a")
    local b <close> = setmetatable({}, { __close = function(_, e) error(wait("g"), 0) end })
    error("e", 0)
  end)
  return ok, e, out[1]]=])
row_of("5.4", "coroutine.close", "true a dead", guard .. [=[
  local co = coroutine.create(function() local a <close> = guard("a") coroutine.yield() end)
  coroutine.resume(co)
  return coroutine.close(co), out[1], coroutine.status(co)]=])
row_of("5.4", "coroutine.wrap that fails", "false e a!e", guard .. [=[
  local ok, e = pcall(coroutine.wrap(function() local a <close> = guard("a") error("e", 0) end))
  return ok, e, out[1]]=])

-- A finalizer runs on behalf of whoever is there when its object is found dead, who is not to wait for it.
local function finalized(f)
  local said
  local function finalizer() said = show(pcall(f)) end
  if is_51 then
    getmetatable(newproxy(true)).__gc = finalizer
  else
    setmetatable({}, { __gc = finalizer })
  end
  while not said do collectgarbage() end
  return said
end
local why = "attempt to wait in a finalizer"
refused("__gc that sleeps", "false " .. why, function() return finalized(function() sleep(0.001) end) end)
refused("__gc that reads a socket", "false " .. why, function()
  return finalized(function() ngx.socket.connect("127.0.0.1", at.server) end)
end)
refused("__gc that receives", "false true", function()
  local said = finalized(function() task.receive(1) end)
  return said:sub(1, 5), is_task and said:find("only the task itself can") ~= nil or said == "false " .. why
end)
refused("__gc that waits in a coroutine", "true false " .. why, function()
  return finalized(function() return coroutine.resume(coroutine.create(function() sleep(0.001) end)) end)
end)
row("a wait after finalizers", "a", function() return wait("a") end)

-- Functions that the library calls.
row("the iterator of a generic for", "a1 a2", function()
  local out = {}
  for i in function(_, i) i = (i or 0) + 1 if i < 3 then wait("x") return i end end do out[i] = "a" .. i end
  return unpack(out)
end)
row("a table.sort comparator", "1 2 3 4 5", function()
  local t = { 3, 5, 1, 4, 2 }
  table.sort(t, function(a, b) return tonumber(wait(tostring(a))) < b end)
  return unpack(t)
end)
row("table.sort with __lt", "1 2 3", function()
  local m = { __lt = function(a, b) return tonumber(wait(tostring(a.n))) < b.n end }
  local t = {}
  for i, n in ipairs { 2, 3, 1 } do t[i] = setmetatable({ n = n }, m) end
  table.sort(t)
  return t[1].n, t[2].n, t[3].n
end)
row("a string.gsub callback", "A-B-c 2", function()
  return ("a-b-c"):gsub("%a", function(c) return wait(c:upper()) end, 2)
end)
row("string.gsub with a table that has __index", "<a><b> 2", function()
  return ("ab"):gsub(".", setmetatable({}, { __index = function(_, k) return "<" .. wait(k) .. ">" end }))
end)
row("ngx.re.gsub's callback", "<a><b> 2", function()
  return ngx.re.gsub("ab", ".", function(m) return "<" .. wait(m[0]) .. ">" end)
end)
row("ngx.re.sub's callback", "<a>b 1", function()
  return ngx.re.sub("ab", ".", function(m) return "<" .. wait(m[0]) .. ">" end)
end)
row("load's reader", "42", function()
  local n = 0
  return assert(load(function() n = n + 1 return ({ wait("return "), wait("4"), wait("2") })[n] end))()
end)
row("an error in load's reader", "nil e", function() return load(function() error(wait("e"), 0) end) end)
row("the main chunk of a module", "read once", function() return (require "reads") end)
-- Its main chunk counts in a global how often it has run: once for the app, and once more for the task, which has an instance of its own.
row("a module that two require at a time", "read again read again " .. (is_task and 2 or 1), function()
  local threads = {}
  for i = 1, 2 do threads[i] = ngx.thread.spawn(function() return (require "reads_again") end) end
  local _, first = ngx.thread.wait(threads[1])
  local _, second = ngx.thread.wait(threads[2])
  return first.text, second.text, first.times
end)
row("a loader in package.preload", "preloaded_by_name", function()
  package.preload.preloaded_by_name = function(name) return wait(name) end
  return (require "preloaded_by_name")
end)
row_of("5.4", "table.concat with __index", "a1,a2,a3", [=[
  return table.concat(setmetatable({}, { __index = function(_, i) return wait("a" .. i) end, __len = function() return 3 end }), ",")]=])
row_of("5.4", "table.concat with __len", "a,b", [=[
  return table.concat(setmetatable({ "a", "b", "c" }, { __len = function() return #wait("xx") end }), ",")]=])
row_of("5.4", "table.unpack with __index", "a1 a2", [=[
  return table.unpack(setmetatable({}, { __index = function(_, i) return wait("a" .. i) end }), 1, 2)]=])
row_of("5.4", "table.insert with __newindex", "x 1", [=[
  local kept, at
  table.insert(setmetatable({}, { __newindex = function(_, i, v) kept, at = wait(v), i end }), "x")
  return kept, at]=])
row_of("5.4", "table.remove with __index", "a3", [=[
  return table.remove(setmetatable({}, { __index = function(_, i) return wait("a" .. i) end, __len = function() return 3 end,
    __newindex = function() end }))]=])
row_of("5.4", "table.move with __index", "a1 a2", [=[
  local t = table.move(setmetatable({}, { __index = function(_, i) return wait("a" .. i) end }), 1, 2, 1, {})
  return t[1], t[2]]=])
row_of("5.4", "table.sort with __index and __newindex", "1 2 3", [=[
  local kept = { 3, 1, 2 }
  table.sort(setmetatable({}, { __index = function(_, i) wait("x") return kept[i] end,
    __newindex = function(_, i, v) wait("x") kept[i] = v end, __len = function() return 3 end }))
  return table.unpack(kept)]=])
row_of("5.4", "ipairs with __index", "a1 a2", [=[
  local out = {}
  for i, v in ipairs(setmetatable({}, { __index = function(_, i) return i < 3 and wait("a" .. i) or nil end })) do out[i] = v end
  return out[1], out[2]]=])
row_of("5.4", "pairs with __pairs", "k v", [=[
  for k, v in pairs(setmetatable({}, { __pairs = function() return next, { k = wait("v") } end })) do return k, v end]=])
row_of("5.4", "a global by __index", "name", [=[
  return load("return name", "chunk", "t", setmetatable({}, { __index = function(_, k) return wait(k) end }))()]=])

-- Coroutines: a wait goes past them, to the scheduler.
row("coroutine.wrap in coroutine.wrap", "1 2 3 4", function()
  local outer = coroutine.wrap(function()
    local inner = coroutine.wrap(function() coroutine.yield(wait("1")) return wait("2") end)
    coroutine.yield(inner())
    coroutine.yield(inner())
    coroutine.yield(wait("3"))
    return wait("4")
  end)
  return outer(), outer(), outer(), outer()
end)
row("coroutine.resume, and the status meanwhile", "true a normal dead", function()
  local meanwhile
  local outer = coroutine.running()
  local co = coroutine.create(function()
    local text = wait("a")
    meanwhile = coroutine.status(outer)
    return text
  end)
  local ok, text = coroutine.resume(co)
  return ok, text, meanwhile, coroutine.status(co)
end)
row("coroutine.wrap as an iterator", "a b", function()
  local out = {}
  for text in coroutine.wrap(function() coroutine.yield(wait("a")) coroutine.yield(wait("b")) end) do out[#out + 1] = text end
  return unpack(out)
end)
row("an error in a coroutine", "false e dead", function()
  local co = coroutine.create(function() error(wait("e"), 0) end)
  local ok, e = coroutine.resume(co)
  return ok, e, coroutine.status(co)
end)

-- Of other origin.
row("ngx.timer.at", "a", function()
  local said
  assert(ngx.timer.at(0, function() said = elsewhere("a") end))
  while not said do sleep(0.001) end
  return said
end)
row("timer.after", "a", function()
  local said
  assert(timer.after(0.001, function() said = elsewhere("a") end))
  while not said do sleep(0.001) end
  return said
end)
row("a light thread", "true a", function() return ngx.thread.wait(ngx.thread.spawn(elsewhere, "a")) end)
row("a light thread in a string.gsub callback", "<a> 1", function()
  return ("a"):gsub(".", function(c)
    local _, text = ngx.thread.wait(ngx.thread.spawn(elsewhere, "<" .. c .. ">"))
    return text
  end)
end)

-- Plain code, and all of it at once.
row("arguments, constructors and tail calls", "a b c d", function()
  local t = { wait("a"), (wait("b")), [3] = wait("c") }
  return t[1], t[2], t[3], (function(...) return wait(...) end)("d")
end)
row("the bounds of a numeric for", "6", function()
  local sum = 0
  for i = tonumber(wait("1")), tonumber(wait("3")) do sum = sum + i end
  return sum
end)
row("a deep recursion", "deep", function()
  local function f(n) if n == 0 then return wait("deep") end return (f(n - 1)) end
  return f(1000)
end)
row("all of them inside one another", "true 1<A>2<B> 4", function()
  return pcall(function()
    local t = { "2b", "1a" }
    table.sort(t, function(a, b)
      return select(2, pcall(object("__index", function(_, k)
        return coroutine.wrap(function() wait("x") return k end)()
      end).any and string.lower, wait(a))) < b
    end)
    return (concat(t):gsub("%a", function(c)
      return "<" .. tostring(object("__tostring", function()
        return select(2, xpcall(function() error(object("__concat"), 0) end, function(e)
          return wait("") .. (e .. "" == "__concat" and wait(c:upper()) or "?")
        end))
      end)) .. ">"
    end)), 4
  end)
end)

return rows
