-- require: what modules get and give, caching, failures, cycles.
local m, extra = require "lib.simple"
print(m.name, m.where, extra, loads) print(require "lib.simple" == m, loads, package.loaded["lib.simple"] == m)
package.loaded["lib.simple"] = nil print(require "lib.simple" ~= m, loads)
package.loaded["lib.simple"] = "replaced" print((require "lib.simple"))
print((require "lib.noreturn"), noreturn_ran, package.loaded["lib.noreturn"])
package.path = "./?.lua;./?/init.lua" print(require "lib.nested")
local ok, e = pcall(require, "lib.broken") print(ok, e)
ok, e = pcall(require, "lib.failing") print(ok, e)
print(package.loaded["lib.failing"], package.loaded["lib.broken"])
package.path, package.cpath = "./?.lua;./?/none.lua", "./?.so"
ok, e = pcall(require, "no.such.module") print(ok) print(e)
local a = require "lib.cycle_a" print(a.b.a == a)
print(pcall(require)) print(pcall(require, {}))
print(require "string" == string, require "_G" == _G, require "coroutine" == coroutine)
package.path = 5 ok, e = pcall(require, "x") print(ok, type(e)) package.path = nil print(pcall(require, "x"))
--> lib.simple	./lib/simple.lua	./lib/simple.lua	1
--> true	1	true
--> true	2
--> replaced
--> true	true	true
--> nested module	./lib/nested/init.lua
--> false	error loading module 'lib.broken' from file './lib/broken.lua':
--> 	./lib/broken.lua:2: unexpected symbol near '='
--> false	./lib/failing.lua:2: failed while loading
--> nil	nil
--> false
--> module 'no.such.module' not found:
--> 	no field package.preload['no.such.module']
--> 	no file './no/such/module.lua'
--> 	no file './no/such/module/none.lua'
--> 	no file './no/such/module.so'
--> 	no file './no.so'
--> true
--> false	bad argument #1 to 'require' (string expected, got no value)
--> false	bad argument #1 to 'require' (string expected, got table)
--> true	true	true
--> false	string
--> false	'package.path' must be a string
