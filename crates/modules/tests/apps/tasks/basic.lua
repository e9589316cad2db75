local tid = task.spawn("run", "basic", 1, { x = { "a", "b" } }, nil)
print(math.type(tid), task.self(), task.parent(), task.alive(tid), task.count())
while task.count() > 0 do sleep(0.002) end
print(task.alive(tid), task.alive("nobody"), task.alive(nil), task.monitor == nil)
-- Outside of tasks.
print(task.receive(0), task.receive { what = "x", timeout = 0.001 })
local me = task.self()
print(IsTask(me), task.self() == me, task.alive(me), task.kill(me), task.count())
local echo = task.spawn("run", "echo")
task.send(echo, "a", 1)
task.send(echo, "b", { 2 })
local event = task.receive { sender = echo, timeout = 1 }
print(event.what, event.parameter, task.receive(1).parameter[1])
task.monitor(echo)
task.send(echo, "stop")
event = task.receive()
print(event.what, event.sender == echo, event.parameter)
print(pcall(task.link, echo), (select(2, pcall(task.receive, "soon"))))
print(pcall(task.monitor, tid))
print(task.receive(0).parameter)
print(task.send(tid, "hello"))
print(task.spawn("run", "finish", {}) ~= nil)
print(task.spawn("../run"), (select(2, task.spawn(""))))
--
Spawn("Main", 1, 2)
Spawn("egress", "5551234")
Spawn("nothing")
while task.count() > 0 do sleep(0.002) end
print(started)
--> integer	17592202821632	nil	true	1
--> arguments	1	b	nil
--> self	integer	17592202821632
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
--> nil	nil
--> true	true	true	false	0
--> echo	1	2
--> task-stopped	true	normal
--> false	basic.lua:18: bad argument #1 to 'receive' (a number of seconds expected)
--> true	true
--> no such task
--> nil	no such task
--> true
--> nil	no task ''
--> Main	1	2	1	from init.lua
--> egress	5551234	1
--> nil
