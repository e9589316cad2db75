-- coroutine.close on every status, and what it returns.
local co = coroutine.create(function() coroutine.yield(1) end)
print(coroutine.close(co), coroutine.status(co))
co = coroutine.create(function() coroutine.yield(1) end)
coroutine.resume(co)
print(coroutine.close(co), coroutine.status(co), coroutine.resume(co))
co = coroutine.create(function() error("kept", 0) end)
coroutine.resume(co)
print(coroutine.close(co)) print(coroutine.close(co))
print(pcall(coroutine.close, coroutine.running()))
local outer
outer = coroutine.create(function()
  local inner = coroutine.create(function() return pcall(coroutine.close, outer) end)
  return coroutine.resume(inner)
end)
print(coroutine.resume(outer))
print(pcall(coroutine.close), pcall(coroutine.close, 1))
-- Closing while inside pcall, iterators and nested functions.
local log = {}
local function c(name) return setmetatable({}, {__close = function(_, e) log[#log + 1] = name .. ":" .. tostring(e) end}) end
co = coroutine.create(function()
  local a <close> = c "a"
  pcall(function()
    local b <close> = c "b"
    for _ in function() return 1 end, nil, nil, c "for" do
      (function() local d <close> = c "d" coroutine.yield() end)()
    end
  end)
end)
coroutine.resume(co)
print(coroutine.close(co), table.concat(log, " "))
-- The closed coroutine's upvalues are closed too.
local get
co = coroutine.create(function() local v = "value" get = function() v = v .. "!" return v end coroutine.yield() end)
coroutine.resume(co) coroutine.close(co) collectgarbage()
print(get(), get())
-- Errors in close methods replace one another; the last is returned.
co = coroutine.create(function()
  local a <close> = setmetatable({}, {__close = function(_, e) error("a after " .. tostring(e), 0) end})
  local b <close> = setmetatable({}, {__close = function(_, e) error("b after " .. tostring(e), 0) end})
  coroutine.yield()
end)
coroutine.resume(co)
print(coroutine.close(co)) print(coroutine.close(co))
--> true	dead
--> true	dead	false	cannot resume dead coroutine
--> false	kept
--> true
--> false	cannot close a running coroutine
--> true	true	false	cannot close a normal coroutine
--> false	false	bad argument #1 to 'coroutine.close' (thread expected, got number)
--> true	d:nil for:nil b:nil a:nil
--> value!	value!!
--> false	a after b after nil
--> true
