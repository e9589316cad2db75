local tid = task.spawn("run", "basic", 1, { x = { "a", "b" } }, nil)
print(math.type(tid), task.self(), task.parent(), task.alive(tid), task.count())
while task.count() > 0 do sleep(0.002) end
print(task.alive(tid), task.alive("nobody"), task.alive(nil), task.monitor == nil)
-- Outside of tasks.
print(pcall(task.receive))
print(pcall(task.monitor, tid))
print(task.send(tid, "hello"))
print(task.spawn("run", "finish", {}) ~= nil)
print(task.spawn("../run"), (select(2, task.spawn(""))))
--
Spawn("Main", 1, 2)
Spawn("egress", "5551234")
Spawn("nothing")
while task.count() > 0 do sleep(0.002) end
print(started)
--> integer	nil	nil	true	1
--> arguments	1	b	nil
--> self	integer	nil
--> alive	true	true
--> send	true
--> event	echo	true	42
--> keys	parameter sender what
--> poll	nil
--> timeout	nil
--> gone	false	nil	no such task
--> no id	nil	no such task
--> not a task	false	bad argument #1 to 'task.send' (task expected, got table)
--> no name	false	bad argument #2 to 'task.send' (string expected, got no value)
--> bad timeout	false	bad argument #1 to 'task.receive' ('timeout' is not a number of seconds)
--> negative	nil
--> false	false	false	false
--> false	no task runs here: only tasks have a mailbox
--> false	no task runs here
--> nil	no such task
--> true
--> nil	no task ''
--> Main	1	2	1	from init.lua
--> egress	5551234	1
--> nil
