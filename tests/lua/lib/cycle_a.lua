-- One half of two modules that require each other.
local M = {}
package.loaded[...] = M
M.b = require "lib.cycle_b"
return M
