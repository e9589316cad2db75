-- Passes each number it gets on to the next task of the ring.
local send, receive = task.send, task.receive
return function(next)
  while true do
    local event = receive()
    send(next, event.what, event.parameter)
    if event.what == "stop" then return end
  end
end
