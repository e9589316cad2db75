-- Many coroutines with open captured variables and pending variables to close, dropped at once.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 100000000
-- timeout: 20 s
-- stress: skip, a large heap
local closed = 0
local meta = {__close = function() closed = closed + 1 end}
for round = 1, 3 do
  local all = {}
  for i = 1, 5000 do
    local co = coroutine.create(function(n)
      local a, b = n, {}
      local x <close> = setmetatable({}, meta)
      local y <close> = setmetatable({}, meta)
      local function f() a = a + 1 b[a] = f return a end
      coroutine.yield(f)
      return f
    end)
    local _, f = coroutine.resume(co, i)
    all[i] = {co, f}
  end
  for i = 1, 5000, 2 do coroutine.close(all[i][1]) end
  for i = 1, 5000 do assert(all[i][2]() == i + 1) end
  all = nil
  collectgarbage()
end
print(closed)
--> 15000
