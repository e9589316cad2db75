-- An uncaught error value that is no string is named by its type.
-- expect: exit 1
-- stderr: (error object is a table value)
error({})
