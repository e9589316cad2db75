-- A metamethod called by an instruction leaves nothing on the stack: a long loop of them needs no more room than one.
local one = setmetatable({}, {
  __index = function() return 1 end,
  __newindex = function() end,
  __add = function() return 1 end,
  __unm = function() return 1 end,
  __len = function() return 1 end,
  __concat = function() return 1 end,
  __eq = function() return true end,
  __lt = function() return true end,
  __le = function() return true end,
  __call = function() return 1 end,
})
local two = setmetatable({}, getmetatable(one))
local x
local loops = {
  { "index", function() for i = 1, 2000 do x = one[i] end end },
  { "field", function() for i = 1, 2000 do x = one.x end end },
  { "newindex", function() for i = 1, 2000 do one[i] = 1 end end },
  { "add", function() for i = 1, 2000 do x = one + 1 end end },
  { "unm", function() for i = 1, 2000 do x = -one end end },
  { "len", function() for i = 1, 2000 do x = #one end end },
  { "concat", function() for i = 1, 2000 do x = 1 .. one .. two end end },
  { "eq", function() for i = 1, 2000 do x = one == two end end },
  { "lt", function() for i = 1, 2000 do x = one < two end end },
  { "le", function() for i = 1, 2000 do x = one <= two end end },
  { "call", function() for i = 1, 2000 do x = one(i) end end },
}
for _, loop in ipairs(loops) do
  local name, run = loop[1], loop[2]
  -- On a stack of its own, which a slot left behind by each round would make many times larger.
  local grown = coroutine.wrap(function()
    collectgarbage()
    collectgarbage("stop")
    local before = collectgarbage("count")
    run()
    local after = collectgarbage("count")
    collectgarbage("restart")
    return (after - before) * 1024
  end)()
  print(name, grown < 16000)
end
-- Far more rounds than a stack has room for.
local sum = 0
for i = 1, 400000 do sum = sum + one.x end
print(sum)
--> index	true
--> field	true
--> newindex	true
--> add	true
--> unm	true
--> len	true
--> concat	true
--> eq	true
--> lt	true
--> le	true
--> call	true
--> 400000
