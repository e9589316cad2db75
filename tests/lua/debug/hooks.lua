-- Debug hooks: calls, returns, lines and counts, in functions, natives, coroutines and errors.
local log = {}
local function note(...) log[#log + 1] = table.concat({...}, " ") end
local function show(title) print(title .. ": " .. table.concat(log, ", ")) log = {} end

-- lines
local function body(n)
  local x = n
  for i = 1, 2 do
    x = x + i
  end
  return x
end
debug.sethook(function(e, line) note(line - 8) end, "l")
body(1)
debug.sethook()
show "lines"

-- calls and returns, with the values that they pass
local function passed()
  local info = debug.getinfo(3, "rnS")
  local values = {}
  for i = info.ftransfer, info.ftransfer + info.ntransfer - 1 do
    local _, v = debug.getlocal(3, i)
    values[#values + 1] = tostring(v)
  end
  return info.what .. "(" .. table.concat(values, " ") .. ")"
end
local function add(a, b) return a + b, "sum" end
local function tail(a) return add(a, 1) end
local on = false
debug.sethook(function(e) if on then note(e, passed()) end end, "cr")
on = true
add(1, 2)
tail(5)
math.max(3, 4)
select("#", nil, nil)
on = false
debug.sethook()
show "passed"

-- every so many instructions
local count = 0
debug.sethook(function(e, line) count = count + 1 assert(e == "count" and line == nil) end, "", 100)
for i = 1, 10000 do end
debug.sethook()
print("count", count >= 99 and count <= 205)

-- what is set is told
local f = function() end
debug.sethook(f, "crl", 7)
local g, mask, n = debug.gethook()
debug.sethook()
print(g == f, mask, n, debug.gethook())
debug.sethook(f, "")
print(debug.gethook())
print(pcall(debug.sethook, 1, "l"))
print(pcall(debug.sethook, f))

-- an error in a hook is an error of what is hooked, and the next event finds the hook again
local armed = false
debug.sethook(function(e, line) if armed then armed = false error("from the hook", 0) end end, "l")
local ok, message = pcall(function()
  armed = true
  local a = 1
end)
debug.sethook()
print(ok, message)

-- inside the hook there are no hooks; it can be taken away there, at every kind of event
for _, event in ipairs {"c", "r", "l", ""} do
  local calls = 0
  local function inner() calls = calls + 1 local s = tostring(calls) return #s end
  debug.sethook(function() inner() debug.sethook() end, event, event == "" and 1 or 0)
  local a, b = add(1, 2)
  debug.sethook()
  print("removed at", event, calls, a, b)
end

-- hooks are a coroutine's own
local co = coroutine.create(function(a)
  local b = coroutine.yield(a)
  return b
end)
local events = {}
debug.sethook(co, function(e, l) events[#events + 1] = e end, "crl")
print(coroutine.resume(co, 1))
print(coroutine.resume(co, 2))
print(#events > 5, debug.gethook(), (debug.gethook(co) ~= nil))
print(coroutine.status(co))

-- no yield inside
co = coroutine.wrap(function()
  debug.sethook(function() debug.sethook() print(pcall(coroutine.yield, 1)) end, "l")
  local a = 1
  return "done"
end)
print(co())

-- open numbers of values pass through
local function three(...) return 3, ... end
local hits = 0
debug.sethook(function() hits = hits + 1 end, "", 1)
local t = {three(table.unpack({1, 2, 3, 4}))}
local s = string.format("%s %s %s", three("a", "b"))
debug.sethook()
print(#t, s, hits > 10)

-- metamethods, iterators, closing
local mt = {__index = function(_, k) return k end, __close = function() end, __eq = function() return true end}
debug.sethook(function(e)
  local name = debug.getinfo(2, "n").name
  if name and e == "call" and name ~= "sethook" then note(name) end
end, "c")
do
  local c <close> = setmetatable({}, mt)
  local v = c.field
  local same = c == setmetatable({}, mt)
  for k in pairs {} do end
end
debug.sethook()
show "names"

-- tracebacks name the hook
debug.sethook(function() debug.sethook() print((debug.traceback("t"):gsub("%[C%]: in %?", "end"))) end, "l")
local z = 1
--> lines: 7, 0, 1, 2, 1, 2, 1, 4, 8
--> passed: call Lua(1 2), return Lua(3 sum), call Lua(5), tail call Lua(5 1), return Lua(6 sum), call C(3 4), return C(4), call C(# nil nil), return C(2)
--> count	true
--> true	crl	7	nil
--> nil
--> false	bad argument #1 to 'debug.sethook' (function expected, got number)
--> false	bad argument #2 to 'debug.sethook' (string expected, got no value)
--> false	from the hook
--> removed at	c	1	3	sum
--> removed at	r	1	3	sum
--> removed at	l	1	3	sum
--> removed at		1	3	sum
--> true	1
--> true	2
--> true	nil	true
--> dead
--> false	attempt to yield across a C-call boundary
--> done
--> 5	3 a b	true
--> names: setmetatable, index, setmetatable, eq, pairs, for iterator, close
--> t
--> stack traceback:
--> 	debug/hooks.lua:125: in hook '?'
--> 	debug/hooks.lua:126: in main chunk
--> 	end
