local test = task.spawn("test", "selective")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> waiting	6
--> b 2
--> b 5
--> nothing
--> c 4
--> nothing
--> a 1
--> a 3
--> a 6
--> nothing
--> waiting	0
--> last true	1000
--> 1000	500500
