-- What `package` leads to is the script's own: no loader of native code, no other library, nothing another VM sees.
-- only: rille
-- attack: E
-- flags: --sandbox --max-memory 64MiB --max-instructions 20000000
-- timeout: 10 s
print(package.loadlib, package.loaders, #package.searchers)
for name, t in pairs(package.loaded) do assert(t == _G[name] or name == "_G" and t == _G, name) end
print(package.loaded.io == io, package.loaded.ffi, package.loaded.jit)
for _, searcher in ipairs(package.searchers) do
  local ok, found = pcall(searcher, "libc")
  assert(ok and type(found) == "string")
end
-- Replacing what is there changes the script's own view and nothing in the library.
package.loaded.string = {upper = print}
print(require "string" == package.loaded.string, ("x"):upper())
package.searchers = nil
print(pcall(require, "x"))
package.searchers = {function() return function() error("mine", 0) end end}
print(pcall(require, "x"))
package.searchers = setmetatable({}, {__index = function() error("not asked") end})
print((pcall(require, "x")))
package.path = setmetatable({}, {})
package.preload.y = function(...) return ... end
print((pcall(require, "y")))
--> nil	nil	2
--> true	nil	nil
--> true	X
--> false	'package.searchers' must be a table
--> false	mine
--> false
--> false
