-- A task that waits for a message.
return function()
  task.receive()
end
