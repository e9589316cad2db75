-- Files: open modes, read formats, write, seek, lines, close, errors.
local name = os.tmpname() local f = assert(io.open(name, "w"))
print(io.type(f), tostring(f):match("^file %("), f:write("line one\n", 2, " ", 3.5, "\nthird line\n\nlast") == f)
print(f:seek("cur"), f:seek("set", 3), f:seek("end"))
print(f:close(), io.type(f), tostring(f), pcall(f.write, f, "x"))
f = io.open(name)
print(f:read(), f:read("n", "n"), f:read("L"), f:read("l"), f:read(0), f:read("a"), f:read("a"), f:read(0), f:read("l"), f:read("n")) f:close()
f = io.open(name) print(f:read(4, "l", 0, 2))
print(f:read(1000):len(), f:read(1)) f:seek("set") print(f:read("a"):len()) f:close()
for l in io.lines(name) do io.write("[", l, "]") end print()
for l in io.lines(name, "L") do io.write("[", (l:gsub("\n", "\\n")), "]") end print()
for a, b in io.lines(name, 1, 2) do io.write(a, "-", tostring(b), " ") break end print()
for n in io.lines(name, 5) do io.write(#n, " ") end print()
print(pcall(io.lines, "/no/such/file")) print(io.open("/no/such/file"))
print(select("#", io.open("/no/such/file")), (select(3, io.open("/no/such/file"))))
print(pcall(io.open, name, "rw")) print(pcall(io.open, name, "x"))
f = io.open(name, "a") f:write("+appended") f:close() f = io.open(name, "r+") f:write("LINE") f:seek("set", 0)
print(f:read()) f:close() f = io.open(name, "rb") print(#f:read("a"))
print(f:write("x") == nil) f:close() f = io.open(name, "w+") f:write("12 0x1F -3.5e1 .5 nan abc") f:seek("set")
print(f:read("n", "n", "n", "n", "n")) f:close()
f = io.open(name, "w") for i = 1, 1000 do f:write(i, "\n") end f:close() local sum = 0
for n in io.lines(name, "n") do sum = sum + n end print(sum) f = io.open(name)
local lines = f:lines() print(lines(), lines()) f:close() print(pcall(lines))
print(pcall(function() for l in io.lines(name) do error("stop", 0) end end))
print(pcall(f.read, f)) print(pcall(io.close, f))
f = io.open(name) print(pcall(f.read, f, "x")) print(pcall(f.read, f, "*l"))
print(pcall(f.seek, f, "set", "x")) print(pcall(f.seek, f, "bad"))
print(f:setvbuf("no"), f:setvbuf("full", 1024), f:setvbuf("line"))
do local g <close> = f end print(io.type(f)) print(io.type(5), io.type(io.stdout))
print((pcall(io.lines, name, "x"))) local t = {}
for l in io.open(name):lines(2) do t[#t + 1] = l if #t == 3 then break end end print(#t)
print(os.rename(name, name .. ".new"), os.remove(name .. ".new"), (os.remove(name)))
print(select(2, os.remove("/no/such/file")))
local tmp = io.tmpfile() tmp:write("temp") tmp:seek("set")
print(tmp:read("a")) tmp:close()
print(tostring(io.stdout):match("^file %(0x") ~= nil, pcall(io.type))
print(pcall(function() return f.nothing, f:nothing() end))
--> file	file (	true
--> 31	3	31
--> true	closed file	file (closed)	false	attempt to use a closed file
--> line one	2	
--> 	third line		
--> last		nil	nil	nil
--> line	 one		2 
--> 20	nil
--> 31
--> [line one][2 3.5][third line][][last]
--> [line one\n][2 3.5\n][third line\n][\n][last]
--> l-in 
--> 5 5 5 5 5 5 1 
--> false	cannot open file '/no/such/file' (No such file or directory)
--> nil	/no/such/file: No such file or directory	2
--> 3	2
--> false	bad argument #2 to 'io.open' (invalid mode)
--> false	bad argument #2 to 'io.open' (invalid mode)
--> LINE one
--> 40
--> true
--> 12	31	-35.0	0.5	nil
--> 500500
--> 1	2
--> false	file is already closed
--> false	stop
--> false	attempt to use a closed file
--> false	attempt to use a closed file
--> false	bad argument #2 to '?' (invalid format)
--> true	1
--> false	bad argument #3 to '?' (number expected, got string)
--> false	bad argument #2 to '?' (invalid option 'bad')
--> true	true	true
--> closed file
--> nil	file
--> true
--> 3
--> true	true	nil
--> /no/such/file: No such file or directory	2
--> temp
--> true	false	bad argument #1 to 'io.type' (value expected)
--> false	io/files.lua:37: attempt to call a nil value (method 'nothing')
