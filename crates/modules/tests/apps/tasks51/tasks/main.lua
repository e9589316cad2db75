-- Without integers ids are floats, and are the same tasks.
return function()
local echo = task.spawn("echo", 1)
print(task.alive(echo), task.send(echo, "n", {1, 2.5, x = {1e15}}))
local event = task.receive(1)
print(event.what, event.sender == echo, event.parameter[1], event.parameter[2], event.parameter.x[1])
print(pcall(task.send, echo + 0.5, "n"))
task.monitor(echo)
task.send(echo, "stop")
event = task.receive{what = "task-stopped", sender = echo, timeout = 1}
print(event.parameter, IsTask(echo), IsTask(1))
end
