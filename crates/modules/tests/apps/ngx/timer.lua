-- Timers.
print(ngx.timer.at(0.01, function(premature, a, b) print("fires", premature, a, b) end, 1, "two"))
print(ngx.timer.pending_count(), ngx.timer.running_count())
ngx.sleep(0.05)
print(ngx.timer.pending_count(), ngx.timer.running_count())
local n = 0
ngx.timer.every(0.002, function() n = n + 1 end)
ngx.sleep(0.05)
print(n > 2, ngx.timer.pending_count())
print(pcall(ngx.timer.at, -1, print))
print(pcall(ngx.timer.every, 0, print))
print(pcall(ngx.timer.at, 0))
mine = "of the spawner"
ngx.timer.at(0, function() print("its own globals:", mine) end)
ngx.sleep(0.01)
local last
for i = 1, 1030 do
  local ok, err = ngx.timer.at(100, function() end)
  if not ok then last = err break end
end
print(last, ngx.timer.pending_count())
--> 1
--> 1	0
--> fires	false	1	two
--> 0	0
--> true	1
--> false	bad argument #1 to '?' (invalid delay)
--> false	delay cannot be zero
--> false	expecting at least 2 arguments but got 1
--> its own globals:	nil
--> too many pending timers	1024
