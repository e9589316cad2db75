return function()
  for event in task.receive do
    if event.what == "stop" then return end
    task.send(event.sender, event.what, event.parameter)
  end
end
