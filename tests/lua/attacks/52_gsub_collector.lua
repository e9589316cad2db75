-- Bulk operations that collect, grow and shrink what they work on leave the heap sound.
-- only: rille
-- attack: done
-- flags: --sandbox --max-memory 64MiB --max-instructions 50000000
-- timeout: 20 s
-- env: RILLE_GC_CHECK=1
local t = {}
for i = 1, 60 do t[i] = "item " .. i end
print(pcall(table.sort, t, function(a, b)
  collectgarbage()
  for i = 61, 80 do t[i] = {} end
  for i = 61, 80 do t[i] = nil end
  return a < b
end))
local s = table.concat(t, ",", 1, 60)
print(#s:gsub("%w+", function(w) collectgarbage("step") t[w] = {} t[w] = nil return w .. w end))
local proxy = setmetatable({}, {
  __index = function(_, k) collectgarbage() if k <= 10 then return "v" .. k end end,
  __newindex = function(_, k, v) t[k] = v collectgarbage() end,
  __len = function() collectgarbage() return 10 end,
})
print(table.concat(proxy, " "), select("#", table.unpack(proxy)))
table.move(proxy, 1, 10, 101, proxy)
table.insert(proxy, "x")
print(table.remove(proxy, 1), t[105], t[11])
for k in pairs(t) do t[k] = nil collectgarbage("step") end
print(next(t))
--> true
--> 821
--> v1 v2 v3 v4 v5 v6 v7 v8 v9 v10	10
--> v1	v5	x
--> nil
