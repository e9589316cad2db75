local test = task.spawn("test", "timers")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> after 12 the task true
--> tick 1
--> tick 2
--> cancel	true	false
--> tick 3
--> goes on
--> no more	nil	false
--> true	false
--> false	a light thread or timer of a task cannot receive: only the task itself can
--> false	bad argument #1 to 'after' (from 0 to 300000000 seconds expected)
