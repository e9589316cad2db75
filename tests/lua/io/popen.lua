-- io.popen and os.execute, for scripts that run with the full library.
local p = io.popen("echo out; exit 3") print(p:read("a"), io.type(p)) print(p:close())
for l in io.popen("printf 'a\\nb\\n'"):lines() do io.write(l, " ") end print()
local w = io.popen("cat >/dev/null", "w") print(w:write("x") == w, w:close())
print(pcall(io.popen, "true", "x")) print(os.execute() ~= nil, os.execute("exit 5"))
print(os.execute("true")) print(os.execute("kill -9 $$"))
--> out
--> 	file
--> nil	exit	3
--> a b 
--> true	true	exit	0
--> false	bad argument #2 to 'io.popen' (invalid mode)
--> true	nil	exit	5
--> true	exit	0
--> nil	signal	9
