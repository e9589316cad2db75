-- `module`, `package.seeall`, `package.loaders` and what `require` says in 5.1.
-- dialect: 5.1
package.preload["my.mod"] = function(...) print("loading", ...) module(..., package.seeall) function hello() return "hello", _NAME, _PACKAGE, _M == my.mod end x = 1 print(print ~= nil) end
local m = require "my.mod" print(m.hello()) print(my.mod == m, package.loaded["my.mod"] == m, my.mod.x, x) print(select("#", require "my.mod"))
package.preload["plain"] = function(...) module(...) y = 2 end print(require("plain").y, plain.y) string_conflict = "s" print(pcall(function() module("string_conflict") end)) print(pcall(function() module("string_conflict.x") end))
print(pcall(module, "q")); (function() module("opt", function(m) m.opt1 = true end, function(m) m.opt2 = true end) end)() print(opt.opt1, opt.opt2, opt._NAME, opt._PACKAGE == "")
package.preload.loop = function() return require "loop" end print(pcall(require, "loop")) package.preload.bad = function() error("bad module") end print(pcall(require, "bad")) print(pcall(require, "bad")) print(package.loaded.bad ~= nil)
package.preload.ret = function() return false end print(require "ret") package.preload.none = function() end print(require "none") print(type(package.loaders), #package.loaders, package.searchers, package.config)
package.loaders[5] = function(n) return "\n\tmy loader says no to " .. n end local ok, e = pcall(require, "zzz") print((e:gsub("\n\tno file [^\n]*", "")))
package.loaders = nil print(pcall(require, "yyy")) 
--> loading	my.mod
--> true
--> hello	my.mod	my.	true
--> true	true	1	nil
--> 1
--> 2	2
--> false	dialects/5.1/modules.lua:5: name conflict for module 'string_conflict'
--> false	dialects/5.1/modules.lua:5: name conflict for module 'string_conflict.x'
--> false	'module' not called from a Lua function
--> true	true	opt	true
--> false	dialects/5.1/modules.lua:7: loop or previous error loading module 'loop'
--> false	dialects/5.1/modules.lua:7: bad module
--> false	loop or previous error loading module 'bad'
--> true
--> false
--> true
--> table	4	nil	/
--> ;
--> ?
--> !
--> -
--> module 'zzz' not found:
--> 	no field package.preload['zzz']
--> 	my loader says no to zzz
--> false	'package.loaders' must be a table
