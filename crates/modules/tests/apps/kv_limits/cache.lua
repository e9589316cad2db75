-- limits.cache is 8 KiB: what was not used for the longest time makes room.
for i = 1, 100 do
  assert(cache.set("k" .. i, ("x"):rep(100)))
  cache.get("k1")
end
print(cache.get("k1") ~= nil, cache.get("k2"), cache.get("k100") ~= nil)
print(cache.set("large", ("x"):rep(9000)))
--> true	nil	true
--> nil	no memory
