local test = task.spawn("test", "light")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> light	true	false
--> from light nil	true	result
