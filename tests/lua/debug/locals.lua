-- getlocal and setlocal: names, temporaries, varargs, parameters of functions, coroutines.
local function f(a, b, ...)
  local c = a + b
  do local hidden = 1 end
  local d = "d"
  local out = {}
  local i = 1
  while true do
    local n, v = debug.getlocal(1, i)
    if not n then break end
    if n:sub(1, 1) ~= "(" then out[#out + 1] = n .. "=" .. tostring(v):gsub("table.*", "table") end
    i = i + 1
  end
  return table.concat(out, " ")
end
print(f(1, 2, "va1", "va2"))
local function va(...) local n, v = debug.getlocal(1, -1) local n2, v2 = debug.getlocal(1, -2) return n, v, n2, v2, debug.getlocal(1, -3) end
print(va("x", "y"))
print(debug.getlocal(f, 1), debug.getlocal(f, 2), debug.getlocal(f, 3), debug.getlocal(print, 1))
local function set() local x, y = 1, 2 print(debug.setlocal(1, 1, "changed"), debug.setlocal(1, 50, 0)) return x, y end
print(set()) local function setva(...) debug.setlocal(1, -1, "new") return ... end
print(setva("old", 2))
local co = coroutine.create(function(p) local q = p * 2 coroutine.yield() return q end)
coroutine.resume(co, 21) print(debug.getlocal(co, 1, 1)) print(debug.getlocal(co, 1, 2))
print(debug.setlocal(co, 1, 2, "set from outside")) print(coroutine.resume(co))
print(pcall(debug.getlocal, 100, 1)) print(pcall(debug.setlocal, 100, 1, 1))
print(pcall(debug.getlocal, {}, 1)) for i = 1, 1 do print(debug.getlocal(1, 4) ~= nil) end
local function outer() local secret = 42 local function inner() return debug.getlocal(2, 1) end return (inner()) , select(2, inner()) end
print(outer())
--> a=1 b=2 c=3 d=d out=table i=6
--> (vararg)	x	(vararg)	y	nil
--> a	b	nil	nil
--> x	nil
--> changed	2
--> new	2
--> p	21
--> q	42
--> q
--> true	set from outside
--> false	bad argument #1 to 'debug.getlocal' (level out of range)
--> false	bad argument #1 to 'debug.setlocal' (level out of range)
--> false	bad argument #1 to 'debug.getlocal' (number expected, got table)
--> true
--> secret	42
