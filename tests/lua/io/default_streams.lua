-- io.read, io.write, io.input, io.output, io.lines on standard input.
-- stdin: first line\n42 0x10 rest of line\nlast without newline
print(io.read()) print(io.read("n", "n", "l")) print(io.read("a"))
print(io.read("a"), io.read("l"), io.read(0)) io.write("a", 1, 2.5, "\n")
print(io.write("") == io.stdout, io.output() == io.stdout, io.input() == io.stdin)
local name = os.tmpname() io.output(name) io.write("redirected\nsecond\n") io.close()
io.output(io.stdout) io.input(name) print(io.read(), io.read("L"), io.read())
print(io.input():close()) print(pcall(io.read)) io.input(name)
for l in io.lines() do io.write("<", l, ">") end print()
io.input(io.stdin) os.remove(name)
print(pcall(io.input, "/no/such/file")) print(pcall(io.write, {}))
print(pcall(io.write, nil)) print(io.stderr:write("") == io.stderr)
io.stdout:write("done\n"):write("chained\n")
print(io.stdout:seek("cur") == nil or true, io.type(io.stdin))
--> first line
--> 42	16	 rest of line
--> last without newline
--> 	nil	nil
--> a12.5
--> true	true	true
--> redirected	second
--> 	nil
--> true
--> false	default input file is closed
--> <redirected><second>
--> false	cannot open file '/no/such/file' (No such file or directory)
--> false	bad argument #1 to 'io.write' (string expected, got table)
--> false	bad argument #1 to 'io.write' (string expected, got nil)
--> true
--> done
--> chained
--> true	file
