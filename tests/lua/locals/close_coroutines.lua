-- <close> and coroutines: yields inside __close, closing a suspended coroutine, errors while closing.
local function closer(name, action)
  return setmetatable({}, {__close = function(_, e)
    print("close", name, e)
    if action then action() end
  end})
end
local co = coroutine.create(function()
  local a <close> = closer("a")
  local b <close> = closer("b")
  coroutine.yield("suspended")
  print("never")
end)
print(coroutine.resume(co))
print(coroutine.close(co), coroutine.status(co))
print(coroutine.close(co))
print(coroutine.close(coroutine.create(print)))
-- An error in a close method is reported by coroutine.close.
co = coroutine.create(function()
  local a <close> = closer("outer")
  local b <close> = closer("inner", function() error("while closing", 0) end)
  coroutine.yield()
end)
coroutine.resume(co)
print(coroutine.close(co))
print(coroutine.status(co))
-- A yield inside __close, at a normal exit, at a break and at an error.
local function yielding(name) return closer(name, function() coroutine.yield("from " .. name) end) end
co = coroutine.wrap(function()
  do local x <close> = yielding("block") end
  for i = 1, 3 do local y <close> = yielding("loop" .. i) if i == 2 then break end end
  local ok, message = pcall(function() local z <close> = yielding("failing") error("oops", 0) end)
  coroutine.yield(message)
  local w <close> = yielding("return")
  return "finished", 1, 2
end)
for _ = 1, 6 do print(co()) end
-- An error in a coroutine body closes its variables at once.
co = coroutine.create(function()
  local x <close> = closer("dying")
  error("body", 0)
end)
print(coroutine.resume(co))
print(coroutine.close(co))
-- wrap closes and passes the error on.
co = coroutine.wrap(function()
  local x <close> = closer("wrapped", function() error("from close", 0) end)
  error("from body", 0)
end)
print(pcall(co))
print(pcall(coroutine.close, coroutine.running()))
--> true	suspended
--> close	b	nil
--> close	a	nil
--> true	dead
--> true
--> true
--> close	inner	nil
--> close	outer	while closing
--> false	while closing
--> dead
--> close	block	nil
--> from block
--> close	loop1	nil
--> from loop1
--> close	loop2	nil
--> from loop2
--> close	failing	oops
--> from failing
--> oops
--> close	return	nil
--> from return
--> false	body
--> close	dying	body
--> false	body
--> close	wrapped	from body
--> false	from close
--> false	cannot close a running coroutine
