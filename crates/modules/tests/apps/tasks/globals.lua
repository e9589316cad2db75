local test = task.spawn("test", "globals")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> from init.lua	task's own
--> seen nil from init.lua
--> shadowed
--> 1
