-- create, resume, yield, status, running, isyieldable, and values passed both ways.
local co = coroutine.create(function(a, b)
  print("start", a, b, coroutine.isyieldable())
  local c = coroutine.yield(a + b)
  print("second", c)
  local d, e = coroutine.yield()
  print("third", d, e)
  return "end", nil, 3
end)
print(coroutine.status(co))
print(coroutine.resume(co, 1, 2))
print(coroutine.status(co))
print(coroutine.resume(co, "x"))
print(coroutine.resume(co, nil, "y"))
print(coroutine.status(co))
print(coroutine.resume(co))
local main, ismain = coroutine.running()
print(type(main), ismain, coroutine.isyieldable(), coroutine.status(main))
print(coroutine.resume(main))
local inner
local outer = coroutine.create(function()
  inner = coroutine.create(function()
    print(coroutine.status(outer_), coroutine.status(inner))
    print(coroutine.resume(outer_))
    print(coroutine.resume(inner))
    print(select(2, coroutine.running()))
  end)
  print(coroutine.resume(inner))
end)
outer_ = outer
coroutine.resume(outer)
print(coroutine.status(outer), coroutine.status(inner))
print(select("#", coroutine.resume(coroutine.create(function() end))))
print(select("#", coroutine.resume(coroutine.create(function() return nil, nil end))))
print(pcall(coroutine.create), pcall(coroutine.create, 1))
print(pcall(coroutine.resume, 1), pcall(coroutine.status, nil))
print(pcall(coroutine.yield, 1))
print(pcall(coroutine.isyieldable, 5))
local many = coroutine.wrap(function(...) local n = select("#", ...) while true do n = select("#", coroutine.yield(n)) end end)
print(many(), many(1), many(nil, nil), many(table.unpack({}, 1, 100)))
print(coroutine.isyieldable(coroutine.create(print)), coroutine.isyieldable(coroutine.running()))
--> suspended
--> start	1	2	true
--> true	3
--> suspended
--> second	x
--> true
--> third	nil	y
--> true	end	nil	3
--> dead
--> false	cannot resume dead coroutine
--> thread	true	false	running
--> false	cannot resume non-suspended coroutine
--> normal	running
--> false	cannot resume non-suspended coroutine
--> false	cannot resume non-suspended coroutine
--> false
--> true
--> dead	dead
--> 1
--> 3
--> false	false	bad argument #1 to 'coroutine.create' (function expected, got number)
--> false	false	bad argument #1 to 'coroutine.status' (thread expected, got nil)
--> false	attempt to yield from outside a coroutine
--> false	bad argument #1 to 'coroutine.isyieldable' (thread expected, got number)
--> 0	1	2	100
--> true	false
