-- An uncaught error object with __tostring is shown through it.
-- expect: exit 1
-- stderr: my error object
error(setmetatable({}, {__tostring = function() return "my error object" end}))
