-- The arg table and the varargs of the main chunk.
-- args: one 2 --three
print(..., select("#", ...))
print(#arg, arg[0], arg[1], arg[2], arg[3], arg[4], arg[-1] ~= nil)
--> one	3
--> 3	errors/script_arguments.lua	one	2	--three	nil	true
