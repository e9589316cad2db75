local test = task.spawn("test", "names")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> true	true
--> claimed nil 'boss' is the name of task TID
--> by name boss
--> true	false	nil
--> nil	no task is registered as 'boss'
--> nil	nil	a name has 1 to 255 bytes
--> claimed true nil
--> nil
