-- A ring of tasks, round which a number goes; this task is one of them.
return function(size, rounds)
  local first = task.self()
  for i = 1, size - 1 do first = assert(task.spawn("hop", first)) end
  local send, receive = task.send, task.receive
  local start = clock()
  for i = 1, rounds do
    send(first, "n", i)
    local event = receive()
    assert(event.parameter == i)
  end
  report("passed", size * rounds, clock() - start)
  send(first, "stop")
  receive()
end
