-- Each limit is reached, and nothing else happens.
return function()
  local spawned = 0
  local last, err
  repeat
    last, err = task.spawn("wait")
    if last then spawned = spawned + 1 end
  until not last
  print(spawned, err)

  local to = task.self()
  local sent = 0
  repeat
    local ok
    ok, err = task.send(to, "n", sent)
    if ok then sent = sent + 1 end
  until not ok
  print(sent, err, task.waiting())
  -- Room for one more is room for one.
  print(task.receive(0).parameter, task.send(to, "n", sent), task.send(to, "n", sent))
  for event in task.receive, 0 do if task.waiting() == 0 then break end end

  local kib, bytes = ("x"):rep(1024), 0
  repeat
    local ok
    ok, err = task.send(to, "text", kib)
    if ok then bytes = bytes + 1184 + 4 end
  until not ok
  print(bytes <= 4 << 20, bytes > (4 << 20) - 1300, err)
  while task.receive(0) do end
  print("empty", task.waiting(), task.send(to, "text", kib))
  print(task.send(to, "text", ("x"):rep(4 << 20)))
  task.receive()

  -- What is in mailboxes is the VM's memory: it is refused before the VM has none left.
  local text, n = {}, 0
  for i = 1, 400 do text[i] = i end
  local ok, message = pcall(function()
    while true do
      for tid = 1, 1 do
        local good, why = task.send(last or to, "table", text)
        if not good then error(why, 0) end
        n = n + 1
      end
    end
  end)
  print(n > 100, message)
  while task.receive(0) do end

  -- So many monitors.
  local count = 0
  repeat
    ok, err = pcall(task.monitor, (1 << 44) | (1 << 24) | (count + 100))
    count = count + 1
    if count % 1000 == 0 then while task.receive(0) do end end
  until not ok or count > 10100
  print("dead ones do not count", ok, count)

end
