-- A module that returns nothing and fills exports.
local function helper() return exports.name end
exports.name = "common"
exports.helper = function() return helper() end
exports.later = function() leaked = "by common" return exports end
