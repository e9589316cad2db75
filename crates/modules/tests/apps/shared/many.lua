-- More keys than one step of a sweep looks at.
local d = ngx.shared.big
for i = 1, 5000 do d:set("key" .. i, i, i % 5 == 0 and 0.001 or nil) end
ngx.sleep(0.005)
print(#d:get_keys(), #d:get_keys(10), #d:get_keys(1024), #d:get_keys(3000))
local all = d:get_keys(0)
local seen, twice = {}, 0
for _, key in ipairs(all) do
  if seen[key] then twice = twice + 1 end
  seen[key] = true
end
print(#all, twice, seen.key1, seen.key5, seen.key4999)
local removed = 5000 - 4000 - d:flush_expired(10) - 10
print(removed, d:flush_expired(100), d:flush_expired())
print(#d:get_keys(0))
d:flush_all()
print(#d:get_keys(0), d:get("key1"), d:flush_expired() > 3990)
--> 1024	10	1024	3000
--> 4000	0	true	nil	true
--> 980	100	890
--> 4000
--> 0	nil	true
