-- debug.upvalueid and upvaluejoin on variables that are assigned after capture, where closures share one cell.
-- flags: --strict
local function make()
  local a, b = 1, 2
  local function f() a = a + 1 return a, b end
  local function g() a = a + 10 b = b + 10 return a, b end
  return f, g
end
local f, g = make()
local f2 = make()
local function index(fn, name)
  for i = 1, 10 do
    local n = debug.getupvalue(fn, i)
    if n == name then return i elseif not n then return nil end
  end
end
local fa, ga = index(f, "a"), index(g, "a")
print(debug.upvalueid(f, fa) == debug.upvalueid(g, ga))
print(debug.upvalueid(f, fa) == debug.upvalueid(f2, index(f2, "a")))
print(debug.upvalueid(f, fa) ~= debug.upvalueid(g, index(g, "b")))
print(debug.getupvalue(f, fa))
print(debug.setupvalue(f, fa, 100), f(), g())
debug.upvaluejoin(f2, index(f2, "a"), f, fa)
print((f2()), (f()))
print(debug.getupvalue(f, 99), debug.setupvalue(f, 99, 1))
print(pcall(debug.upvaluejoin, f, 99, g, 1))
print(pcall(debug.upvalueid, print, 1) )
print(select("#", debug.getupvalue(print, 1)))
--> true
--> false
--> true
--> a	1
--> a	101	111	12
--> 112	113
--> nil
--> false	bad argument #2 to 'debug.upvaluejoin' (invalid upvalue index)
--> true	nil
--> 0
