-- What LuaJIT added to the language of 5.1: goto, escapes, and the semicolons of 5.2.
-- dialect: 5.1
for i = 1, 3 do for j = 1, 3 do if j == 2 then goto continue end io.write(i, ":", j, " ") ::continue:: end end print()
do local i = 1 ::top:: if i <= 3 then io.write(i, " ") i = i + 1 goto top end print() end
local goto_count = 0 do goto done; goto_count = 1 ::done:: end print(goto_count)
print("\x41\x42", "a\z
       b", "\u{48}\u{20AC}" == "H\226\130\172", '\65\066')
print(string.rep("x", 3, ","), string.format("%s %s", nil, true), (" x "):match("^%s*(.-)%s*$"), select("#", xpcall(function(...) return ... end, print, 1, nil, 3)))
local f = load("return ...", "=chunk", "t", {}) print(f(5)) print(load("return x", "=c", "t", {x = "env"})()) print(loadstring("return 1")())
print(math.log(8, 2), table.move({1, 2, 3}, 2, 3, 1)[1], coroutine.isyieldable(), type(debug.upvalueid), type(package.searchpath), collectgarbage("isrunning"), pcall(function() for l in io.lines("/nonexistent") do end end))
print(tonumber("-ff", 16), ("x"):rep(0), #"\0\0", ("%d"):format(3.99), tostring(print):match("^function"), unpack({1, 2, 3}, 2, 3))
break_ok = pcall(loadstring("while true do break; end do return end")) print(break_ok) local t = setmetatable({}, {__index = function(_, k) return k * 2 end}) print(t[21], rawget(t, 21))
--> 1:1 1:3 2:1 2:3 3:1 3:3 
--> 1 2 3 
--> 0
--> AB	ab	true	AB
--> x,x,x	nil true	x	4
--> 5
--> env
--> 1
--> 3	2	false	function	function	true	false	dialects/5.1/luajit_syntax.lua:10: bad argument #1 to 'lines' (/nonexistent: No such file or directory)
--> -255		2	3	function	2	3
--> true
--> 42	nil
