local test = task.spawn("test")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> true	true
--> n	true	1	2.5	1e+15
--> false	bad argument #1 to '?' (task expected, got number)
--> normal	true	false
