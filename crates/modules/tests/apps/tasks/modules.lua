local test = task.spawn("test", "modules")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> 2	1	true	true
--> count 1 1
--> 3
--> common	common	true	by common
--> 42
--> true	true
