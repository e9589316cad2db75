local test = task.spawn("test", "coroutines")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> first	second
--> true	nil
