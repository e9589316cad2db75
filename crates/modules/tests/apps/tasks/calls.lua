local test = task.spawn("test", "calls")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> true	false	false	false
--> nil
--> table	who	true	you
--> who	true	you	true	false
--> 5	#	nil
--> no such task	parameter is a function: messages carry data only
--> false	false
