-- Runs the test in a task, and says what ends it.
local main = require "tasks.main"
return function()
  local ok, err = pcall(main)
  if not ok then print("error: " .. tostring(err)) end
end
