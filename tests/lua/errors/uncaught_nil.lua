-- An uncaught nil.
-- expect: exit 1
-- stderr: nil
error()
