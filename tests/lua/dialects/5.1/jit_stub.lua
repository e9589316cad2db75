-- The jit table: names and switches; nothing is compiled.
-- dialect: 5.1
-- only: rille
print(type(jit.version), jit.version_num >= 20100, type(jit.os), type(jit.arch), jit.status()) print(jit.on(), jit.off(), jit.flush(), select("#", jit.on(print, true))) jit.opt.start("hotloop=2", 3) print(require "jit" == jit, require "jit.opt" == jit.opt)
if jit.status() then print("compiled") else print("interpreted") end
--> string	true	string	string	false
--> nil	nil	nil	0
--> true	true
--> interpreted
