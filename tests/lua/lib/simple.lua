-- A module for the tests of require: says how it was loaded.
local name, where = ...
loads = (loads or 0) + 1
return {name = name, where = where}
