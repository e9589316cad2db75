-- package.preload, searchers, searchpath, config.
package.preload["virtual"] = function(...) print("preload", ...) return {v = 1} end
print(require("virtual").v, select(2, require "virtual"))
print(#package.searchers, type(package.searchers[1]), package.config:sub(1, 1), package.config == "/\n;\n?\n!\n-\n")
table.insert(package.searchers, 2, function(name) if name == "made up" then return function(n, extra) return n .. " " .. extra end, "by a searcher" end return "\n\tno made up '" .. name .. "'" end)
print(require "made up") package.path, package.cpath = "./?.none", ""
local ok, e = pcall(require, "missing") print(ok) print(e)
print(package.searchpath("lib.simple", "./?.lua;./?.luac"))
print(package.searchpath("lib.nothing", "./?.lua;/x/?.l"))
print(package.searchpath("lib/simple", "./?.lua"))
print(package.searchpath("a-b", "./?.x", "-", "+"))
print(package.searchpath("lib.simple", "./lib?", ".", "/"))
package.searchers[2] = 5 print(pcall(require, "other")) package.searchers = nil print(pcall(require, "another"))
package.preload.nilmod = function() return nil end
package.searchers = {function(n) return package.preload[n] end}
print(require "nilmod", package.loaded.nilmod)
package.preload.falsemod = function() return false end
print(require "falsemod", package.loaded.falsemod)
print(pcall(package.searchpath, "x"))
print(type(package.loadlib), package.loaded._G == _G, package.loaded.package == package)
--> preload	virtual	:preload:
--> 1
--> 4	function	/	true
--> made up by a searcher	by a searcher
--> false
--> module 'missing' not found:
--> 	no field package.preload['missing']
--> 	
--> 	no made up 'missing'
--> 	no file './missing.none'
--> 	no file ''
--> ./lib/simple.lua
--> nil	no file './lib/nothing.lua'
--> 	no file '/x/lib/nothing.l'
--> ./lib/simple.lua
--> nil	no file './a+b.x'
--> nil	no file './liblib/simple'
--> false	attempt to call a number value
--> false	'package.searchers' must be a table
--> true	true
--> false	false
--> false	bad argument #2 to 'package.searchpath' (string expected, got no value)
--> function	true	true
