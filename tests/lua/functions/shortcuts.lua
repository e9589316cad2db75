-- Calls, tail calls and returns with every number of arguments and results, to functions with and without extra arguments.
local function show(...) print(select("#", ...), ...) end

-- Parameters and arguments: fewer, as many, more, an open number.
local function two(a, b) return a, b end
local function rest(a, b, ...) return select("#", ...), a, b, ... end
local function none() end
local function one(a) return a end
show(two()) show(two(1)) show(two(1, 2)) show(two(1, 2, 3)) show(two(two(1, 2, 3)))
show(rest()) show(rest(1)) show(rest(1, 2)) show(rest(1, 2, 3)) show(rest(rest(1, 2, 3, 4)))

-- The same as tail calls.
local function tail(f, ...) return f(...) end
local function tail0(f) return f() end
local function tail1(f) return f(1) end
local function tail3(f) return f(1, 2, 3) end
for _, f in ipairs { two, rest, none, one } do
  show(tail0(f)) show(tail1(f)) show(tail3(f)) show(tail(f, 1, nil, 3, nil))
end
local function native(...) return select(2, ...) end
show(native(1, 2, 3)) show(tail(math.max, 3, 9, 4)) show(tail(type, nil)) show(tail(assert, 1, 2))
local function count(n, ...) if n == 0 then return ... end return count(n - 1, n, ...) end
show(select("#", count(100))) show(count(3, "end"))

-- Results: none, one, two wanted.
local function results(f)
  f(1, 2)
  local a = f(1, 2)
  local b, c, d = f(1, 2)
  return a, b, c, d, (f(1, 2))
end
show(results(none)) show(results(one)) show(results(two)) show(results(rest))

-- A result that nobody wants does not get into another variable.
local function kept()
  local x, y = "x", "y"
  one("lost") two("lost", "lost") rest("lost", "lost", "lost")
  return x, y
end
show(kept())

-- Extra arguments stay what they are when the parameters change.
local function changed(a, ...) a = "new" local b = ... return a, b, ... end
show(changed(1, 2, 3)) show(changed(1)) show(changed())
--> 2	nil	nil
--> 2	1	nil
--> 2	1	2
--> 2	1	2
--> 2	1	2
--> 3	0	nil	nil
--> 3	0	1	nil
--> 3	0	1	2
--> 4	1	1	2	3
--> 6	3	2	1	2	3	4
--> 2	nil	nil
--> 2	1	nil
--> 2	1	2
--> 2	1	nil
--> 3	0	nil	nil
--> 3	0	1	nil
--> 4	1	1	2	3
--> 5	2	1	nil	3	nil
--> 0
--> 0
--> 0
--> 0
--> 1	nil
--> 1	1
--> 1	1
--> 1	1
--> 2	2	3
--> 1	9
--> 1	nil
--> 2	1	2
--> 1	100
--> 4	1	2	3	end
--> 5	nil	nil	nil	nil	nil
--> 5	1	1	nil	nil	1
--> 5	1	1	2	nil	1
--> 5	0	0	1	2	0
--> 2	x	y
--> 4	new	2	2	3
--> 2	new	nil
--> 2	new	nil
