-- Runs a test in a task, and says what ends it.
local tests = require "lib.tests"
return function(name)
  local ok, err = pcall(tests[name])
  if not ok then print("error: " .. tostring(err)) end
end
