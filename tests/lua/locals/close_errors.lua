-- Errors inside __close replace the error that was on its way, and the rest still closes.
local function closer(name, message)
  return setmetatable({}, {__close = function(_, e)
    print("close", name, e)
    if message then error(message, 0) end
  end})
end
print(pcall(function()
  local a <close> = closer("a")
  local b <close> = closer("b", "from b")
  local c <close> = closer("c")
  local d <close> = closer("d", "from d")
  error("original", 0)
end))
print(pcall(function()
  local a <close> = closer("a", "only error")
  return "lost"
end))
print(pcall(function()
  for i = 1, 2 do local x <close> = closer("loop", "loop error " .. i) end
end))
print(pcall(function()
  do local x <close> = closer("block", "block error") end
  print("never")
end))
print(xpcall(function()
  local x <close> = closer("handled", "second")
  error("first", 0)
end, function(e) return "handler:" .. e end))
-- A metamethod removed after the declaration.
print(pcall(function()
  local mt = {__close = print}
  local v <close> = setmetatable({}, mt)
  mt.__close = nil
end))
-- pcall inside __close.
print(pcall(function()
  local x <close> = setmetatable({}, {__close = function(_, e) print("inner", pcall(error, "swallowed", 0)) print("still", e) end})
  error("outer", 0)
end))
-- A close method that has close variables itself.
do
  local x <close> = setmetatable({}, {__close = function()
    local y <close> = setmetatable({}, {__close = function() print("closed second") end})
    print("closed first")
  end})
end
--> close	d	original
--> close	c	from d
--> close	b	from d
--> close	a	from b
--> false	from b
--> close	a	nil
--> false	only error
--> close	loop	nil
--> false	loop error 1
--> close	block	nil
--> false	block error
--> close	handled	handler:first
--> false	handler:second
--> false	locals/close_errors.lua:35: attempt to call a nil value (metamethod 'close')
--> inner	false	swallowed
--> still	outer
--> false	outer
--> closed first
--> closed second
