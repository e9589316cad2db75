-- Weak keys, weak values, both; what is and is not an object for them.
local function size(t) local n = 0 for _ in pairs(t) do n = n + 1 end return n end
local keep = {}
local values = setmetatable({}, {__mode = "v"})
values[1] = {} values[2] = keep values.x = {} values.y = "string" values.z = 42
values.f = function() return values end
values[3] = coroutine.create(print)
collectgarbage()
print(size(values), values[1], values[2] == keep, values.x, values.y, values.z, values[3])
local keys = setmetatable({}, {__mode = "k"})
keys[{}] = 1 keys[keep] = 2 keys.str = {} keys[1] = {} keys[function() return keys end] = 3
collectgarbage()
print(size(keys), keys[keep], type(keys.str), type(keys[1]))
local both = setmetatable({}, {__mode = "kv"})
both[{}] = keep both[keep] = {} both[1] = keep both[keep] = keep
collectgarbage()
print(size(both), both[1] == keep, both[keep] == keep)
-- Mode set after filling.
local late = {{}, {}, keep}
setmetatable(late, {__mode = "v"})
collectgarbage()
print(late[1], late[2], late[3] == keep)
-- Weak values reached from elsewhere stay.
local strong = {}
local cache = setmetatable({}, {__mode = "v"})
for i = 1, 100 do local o = {i} cache[i] = o if i % 10 == 0 then strong[#strong + 1] = o end end
collectgarbage()
print(size(cache), cache[10][1], cache[100][1], cache[11])
-- Strings are values, never removed.
local strs = setmetatable({}, {__mode = "kv"})
for i = 1, 50 do strs["key" .. i] = "value" .. i end
collectgarbage()
print(size(strs))
-- Order: values are cleared before finalizers, keys after.
local wv, wk = setmetatable({}, {__mode = "v"}), setmetatable({}, {__mode = "k"})
do
  local o = setmetatable({}, {__gc = function(o) print("in gc", wv[1], wk[o]) end})
  wv[1] = o wk[o] = "still there"
end
collectgarbage() collectgarbage()
print(size(wv), size(wk))
-- Traversal that clears as it goes.
local t = setmetatable({}, {__mode = "k"})
for i = 1, 200 do t[{}] = i end
local n = 0
for k in pairs(t) do n = n + 1 if n % 20 == 0 then collectgarbage("step") end end
print(n <= 200)
--> 3	nil	true	nil	string	42	nil
--> 3	2	table	table
--> 2	true	true
--> nil	nil	true
--> 10	10	100	nil
--> 50
--> in gc	nil	still there
--> 0	0
--> true
