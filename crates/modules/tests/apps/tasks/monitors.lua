local test = task.spawn("test", "monitors")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> monitor	true
--> task-stopped	normal
--> task-stopped	lib/tests.lua:17: broken
--> once	nil
--> dead	task-stopped	no such task
--> demonitor	true	false
--> kill	true	true
--> none	nil	false
--> true	true	killed
--> task-stopped	killed
--> task-stopped	killed
--> false	bad argument #1 to 'monitor' (task expected)
