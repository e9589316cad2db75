-- The word exports is here, and nothing is exported.
seen = exports ~= nil
