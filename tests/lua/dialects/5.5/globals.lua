-- Declarations of globals: names, attributes, values, functions, scopes, and what is an error.
-- dialect: 5.5
local function check(text, ...)
  local f, message = load(text, "=c")
  if not f then print(message) return end
  print(select(2, pcall(f, ...)))
end
check "global a; a = 1; return a"
check "global a; b = 1"
check "global a; do global *; b2 = 3 end; return _ENV.b2"
check "global none; return none"
check "global <const> *; return type(print), X"
check "global <const> *; X = 1"
check "global <const> x; x = 1"
check "global x <const>, y; y = 2; x = 1"
check "global <close> x"
check "global x <close>"
check "global <weird> x"
check "global *; global <const> print; print = 1"
check "global v1, v2 = 10, 20; return v1 + v2"
check "global w1, w2 = (function() return 1, 2 end)(); return w2"
check "global print = 1"
check "local _ENV = {f = false}; global f = 1"
check "local _ENV = {}; global function f() return 1 end; return f()"
check "global print; global function print() end"
check "global function g(x) if x == 0 then return 1 end return x * g(x - 1) end; return _ENV.g(5)"
check "global <const> h; function h() end"
check "local x = 1; do global x; x = 2 end; return x, _ENV.x"
check "global x; local function f() return x, y end"
check "global _ENV, a; a = 1"
check "goto l; global x; ::l:: x = 1"
check "goto l; global *; ::l:: print(1)"
check "goto l; local x; ::l:: print(x)"
check "do goto l; global x; ::l:: end return 'fine'"
check "global = 5; return global"
check "local global = {1}; global[1] = 2; return global[1]"
check "local function global(x) return x end return global 'called', global{2}[1]"
check "global"
check "global x y"
check "global function 5"
check "global x = "
check "global <const> *, x"
check "return (function() global x; x = 1; return x end)()"
local names, values = {}, {}
for i = 1, 300 do names[i], values[i] = "n" .. i, i end
local text = "local _ENV = {}; global " .. table.concat(names, ", ", 1, 180) .. " = " .. table.concat(values, ", ", 1, 180)
print(load(text .. "; return n1 + n180")())
print(load("local t = {" .. table.concat(values, ".5, ") .. "}; local _ENV = {}; global last = 7; return last")())
--> 1
--> c:1: variable 'b' not declared
--> 3
--> nil
--> function	nil
--> c:1: attempt to assign to const variable 'X'
--> c:1: attempt to assign to const variable 'x'
--> c:1: attempt to assign to const variable 'x'
--> c:1: global variables cannot be to-be-closed
--> c:1: global variables cannot be to-be-closed
--> c:1: unknown attribute 'weird'
--> c:1: attempt to assign to const variable 'print'
--> 30
--> 2
--> c:1: global 'print' already defined
--> c:1: global 'f' already defined
--> 1
--> c:1: global 'print' already defined
--> 120
--> c:1: attempt to assign to const variable 'h'
--> 1	2
--> c:1: variable 'y' not declared
--> c:1: _ENV is global when accessing variable 'a'
--> c:1: <goto l> at line 1 jumps into the scope of 'x'
--> c:1: <goto l> at line 1 jumps into the scope of '*'
--> c:1: <goto l> at line 1 jumps into the scope of 'x'
--> fine
--> 5
--> 2
--> called	2
--> c:1: syntax error near <eof>
--> c:1: variable 'y' not declared
--> c:1: <name> expected near '5'
--> c:1: unexpected symbol near <eof>
--> c:1: unexpected symbol near ','
--> 1
--> 181
--> 7
