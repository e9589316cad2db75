-- __newindex: functions, tables, chains, and when the assignment is raw.
local log = {}
local t = setmetatable({existing = 1}, {__newindex = function(self, k, v) rawset(self, k, v and v * 10) log[#log + 1] = tostring(k) end})
t.existing = 2 t.new = 3 t[1] = 4 t[1.5] = 5 t[true] = 6
print(t.existing, t.new, t[1], t[1.5], t[true], table.concat(log, ","))
t.new = 7
print(t.new)
t.existing = nil t.existing = 8
print(t.existing)
local store = {}
local proxy = setmetatable({}, {__newindex = store, __index = store})
proxy.x = 1 proxy[1] = "one"
print(rawget(proxy, "x"), store.x, proxy.x, #proxy, #store)
local readonly = setmetatable({}, {__index = {a = 1}, __newindex = function(_, k) error("read-only field " .. k, 2) end})
print(readonly.a, pcall(function() readonly.a = 2 end))
-- Chain: the last table is written raw.
local bottom = {}
local chain = setmetatable({}, {__newindex = setmetatable({}, {__newindex = bottom})})
chain.deep = "value"
print(rawget(chain, "deep"), bottom.deep)
print(pcall(function() local x = setmetatable({}, {__newindex = 5}) x.y = 1 end))
local loop = {} setmetatable(loop, {__newindex = loop})
print(pcall(function() loop.x = 1 end))
-- Invalid keys.
print(pcall(function() local x = {} x[nil] = 1 end))
print(pcall(function() local x = {} x[0/0] = 1 end))
print(pcall(rawset, {}, nil, 1))
print(pcall(function() local caught = setmetatable({}, {__newindex = function(_, k, v) print("caught", k, v) end}) caught[nil] = 1 end))
-- table functions respect it.
local seen = {}
local recorded = setmetatable({}, {__newindex = function(self, k, v) seen[#seen + 1] = k .. "=" .. v rawset(self, k, v) end})
table.insert(recorded, "a") table.insert(recorded, 1, "b")
print(table.concat(seen, " "), recorded[1], recorded[2])
-- Several assignments at once.
local order = setmetatable({}, {__newindex = function(_, k, v) rawset(store, k, v) end})
order.p, order.q, order.r = 1, 2
print(store.p, store.q, store.r)
--> 2	30	40	50	60	new,1,1.5,true
--> 7
--> 80
--> nil	1	1	0	1
--> 1	false	metatables/newindex.lua:15: read-only field a
--> nil	value
--> false	metatables/newindex.lua:21: attempt to index a number value
--> false	metatables/newindex.lua:23: '__newindex' chain too long; possible loop
--> false	metatables/newindex.lua:25: table index is nil
--> false	metatables/newindex.lua:26: table index is NaN
--> false	table index is nil
--> caught	nil	1
--> true
--> 1=a 2=a	b	a
--> 1	2	nil
