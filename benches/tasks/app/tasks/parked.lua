-- Spawns tasks that only wait; says how long that took, and when all of them do.
return function(count)
  local spawn = task.spawn
  local start = clock()
  for i = 1, count do assert(spawn("wait")) end
  report("spawned", count, clock() - start)
  sleep(0)
  collectgarbage()
  collectgarbage()
  report("parked", task.count() - 1, clock() - start)
end
