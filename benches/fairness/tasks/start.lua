for _ = 1, 8 do assert(task.spawn("busy")) end
task.receive()
