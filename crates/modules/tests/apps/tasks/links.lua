local test = task.spawn("test", "links")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> other	fail
--> pair	linked task TID ended: fail
--> still here	0
--> trap	false	true
--> task-stopped	true	lib/tests.lua:17: for the trap
--> unlink	true	true	false
--> none	nil
--> false	a task is not linked with itself
--> closed
