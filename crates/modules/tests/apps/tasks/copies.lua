local test = task.spawn("test", "copies")
for _ = 1, 5000 do
  if not task.alive(test) then return end
  sleep(0.002)
end
print("it does not end")
--> nil	true	1	1.5	text	true
--> true	3	n	f	b	true	true	true
--> 1
--> a long chain	10000
--> with a class	nil
--> json	true	[]
--> nil	parameter is a function: messages carry data only
--> nil	parameter.handlers[3].callback is a function: messages carry data only
--> nil	parameter["two words"][1] is a thread: messages carry data only
--> nil	parameter[function] is a function: messages carry data only
--> nil	parameter is a table: messages carry data only
--> nil	message too large
--> nil	message too large
--> nil	argument 2.x.y is a function: messages carry data only
--> nil	argument 3 is a function: messages carry data only
--> left	0
