local test = task.spawn("test")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> 18	too many tasks: the limit is 20
--> 10000	mailbox full	10000
--> 0	true	nil	mailbox full
--> true	true	mailbox full
--> empty	0	true
--> nil	message too large
--> true	mailbox full
--> dead ones do not count	true	10101
