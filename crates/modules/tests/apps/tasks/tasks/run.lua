-- Runs a function of a test file in a task.
local tests = require "lib.tests"
return function(name, ...)
  return tests[name](...)
end
