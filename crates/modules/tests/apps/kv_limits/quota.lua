-- limits.kv is 4 KiB: a record counts its key, its value and 64 bytes.
local written = 0
for i = 1, 100 do
  local ok, err = kv.set(("%03d"):format(i), ("x"):rep(100))
  if not ok then print(err) break end
  written = i
end
-- A string counts a byte more than it has: 4096 // (3 + 101 + 64).
print(written, 4096 // (3 + 101 + 64))
print(kv.incr("n"), kv.add("n", ("x"):rep(100)), kv.cas("n", nil, ("x"):rep(100)))
print(kv.transaction(function(tx) tx:delete("001") tx:set("n", ("x"):rep(200)) end))
print(#kv.get("001"), kv.get("n"))
print(kv.transaction(function(tx) tx:delete("001") tx:set("n", ("x"):rep(100)) end))
print(kv.get("001"), #kv.get("n"))
print(kv.delete("n"), kv.set("n", ("x"):rep(100), 0.01), kv.set("m", 1))
sleep(0.02)
-- What has expired makes room.
print(kv.set("m", 1))
print(#kv.list(""))
--> quota
--> 24	24
--> nil	nil	nil	quota
--> nil	quota
--> 100	nil
--> true
--> nil	100
--> true	true	nil	quota
--> true
--> 24
