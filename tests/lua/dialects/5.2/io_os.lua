-- Files, programs and time in 5.2.
-- dialect: 5.2
local name = os.tmpname()
local f = io.open(name, "w") print(io.type(f)) f:write("12 0x1F -3.5e1 x\nline2\n\n", 4, " last") print(f:close()) print(pcall(f.write, f)) print(tostring(f), io.type(f), io.type(1))
f = io.open(name) print(f:read("*n", "*n", "*n", "*n")) print(f:read("*l")) print(pcall(f.read, f, "*x")) print(f:read("*a")) print(f:read("*a")) print(f:read("*l")) print(f:read(0)) print(f:seek("set", 3), f:read(4), f:seek("cur"), f:seek("end")) f:close()
for line in io.lines(name) do io.write("[", line, "]") end print() print(select("#", io.lines(name)))
local l = io.lines(name) while l() do end print(pcall(l)) f = io.open(name) local it = f:lines() print(it(), it()) f:close() print(pcall(it))
local p = io.popen("echo hi; exit 2") print(p:read("*a")) print(p:close()) print(io.popen("true", "x"))
print(os.execute("exit 3")) print(os.execute()) print(os.execute("true")) print(os.rename("/nonexistent/1", "/nonexistent/2")) print(os.remove("/nonexistent/1"))
print(io.open("/nonexistent/x")) print(pcall(function() for l in io.lines("/nonexistent/x") do end end)) print(pcall(function() io.input("/nonexistent/x") end)) print(pcall(function() return io.open(name, "zz") end) == (_VERSION == "Lua 5.1"))
print(os.date("!%Y-%m-%d %H:%M:%S %p %j", 86400), os.date("!*t", 0).isdst, os.date("!%c", 0), os.date("!*t", 1e9).yday)
print(pcall(os.time, {})) local t = {year = 2000, month = 13, day = 1, hour = 0} print(os.time(t), t.month, os.time{year = 2001, month = 1, day = 1.9, hour = "x"}, os.difftime(5), os.difftime(5, 2.5)) print(pcall(function() os.difftime() end))
print(io.write("") == io.stdout, io.stdout:write("") == io.stdout, io.close and pcall(io.close, io.stdout)) os.remove(name) print(#package.config, package.path:find("?.lua", 1, true) ~= nil, os.getenv("NO_SUCH_VARIABLE"))
print(pcall(os.date, "%Q")) print(pcall(os.date, "%")) local n = os.tmpname() f = io.open(n, "w") f:write("1 2\nab\n") f:close() for a, b in io.lines(n, "*n", 1) do print(a, b) break end for l in io.lines(n, "*L") do io.write(l) end os.remove(n) print(pcall(function() return io.read("l") end))
--> file
--> true
--> false	attempt to use a closed file
--> file (closed)	closed file	nil
--> 12	31	-35	nil
--> x
--> false	bad argument #2 to '?' (invalid format)
--> line2
-->
--> 4 last
-->
--> nil
--> nil
--> 3	0x1F	7	30
--> [12 0x1F -3.5e1 x][line2][][4 last]
--> 1
--> false	file is already closed
--> 12 0x1F -3.5e1 x	line2
--> false	file is already closed
--> hi
-->
--> nil	exit	2
--> nil	true: Invalid argument	22
--> nil	exit	3
--> true
--> true	exit	0
--> nil	No such file or directory	2
--> nil	/nonexistent/1: No such file or directory	2
--> nil	/nonexistent/x: No such file or directory	2
--> false	dialects/5.2/io_os.lua:10: cannot open file '/nonexistent/x' (No such file or directory)
--> false	dialects/5.2/io_os.lua:10: cannot open file '/nonexistent/x' (No such file or directory)
--> true
--> 1970-01-02 00:00:00 AM 002	false	Thu Jan  1 00:00:00 1970	252
--> false	field 'day' missing in date table
--> 978307200	13	978350400	5	3
--> false	dialects/5.2/io_os.lua:12: bad argument #1 to 'difftime' (number expected, got no value)
--> true	true	true
--> 10	true	nil
--> false	bad argument #1 to 'os.date' (invalid conversion specifier '%Q')
--> false	bad argument #1 to 'os.date' (invalid conversion specifier '%')
--> 1	 
--> 1 2
--> ab
--> false	dialects/5.2/io_os.lua:14: bad argument #1 to 'read' (invalid option)
