-- The other half.
return {a = require "lib.cycle_a"}
