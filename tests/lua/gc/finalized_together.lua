-- All dead objects are finalized in one cycle, newest first, also those that other dead ones refer to: directly, or as an ephemeron's value.
local log = {}
local meta = { __gc = function(o) log[#log + 1] = o.id end }
local N = 20000
local last
for i = 1, N do last = setmetatable({ id = i, before = last }, meta) end
last = nil
collectgarbage()
local ordered = true
for i = 1, N do ordered = ordered and log[i] == N + 1 - i end
print(#log, ordered)
log = {}
local weak = setmetatable({}, { __mode = "k" })
do
  local value = setmetatable({ id = "value" }, meta)
  weak[setmetatable({ id = "key" }, meta)] = value
end
collectgarbage()
print(table.concat(log, " "))
--> 20000	true
--> key value
