-- There are no files: libraries that look for one find none.
print(io.open("/etc/passwd"))
print(io.open("x.lua", "rb"))
print(io.open("x.lua", "w"))
print(pcall(io.open, "x", "z"))
print(pcall(io.open))
print(io == require "io", pcall(rawset, io, "open", nil))
--> nil	/etc/passwd: No such file or directory	2
--> nil	x.lua: No such file or directory	2
--> nil	x.lua: Permission denied	13
--> false	bad argument #2 to '?' (invalid mode)
--> false	bad argument #1 to '?' (string expected, got nil)
--> true	false	attempt to modify a read-only table
