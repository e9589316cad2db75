-- Every way to what a table does not have: kinds of keys, of instructions, of handlers, of links.
local function show(...) print(...) end

local long = ("x"):rep(60)
local function all(mark)
  local t = { mark .. 1, mark .. 2, mark .. 3, [70000] = mark .. "int", [2.5] = mark .. "float", [true] = mark .. "flag" }
  t.name = function(self) return mark .. type(self) end
  t[long] = mark .. "long"
  return setmetatable(t, { __tostring = function() return mark end })
end
local function plainly(what, t)
  local f = t.name
  t.name = nil
  local keys = { "name", 3, 70000, 2.5, long, true, "none" }
  local out = {}
  for n, k in ipairs(keys) do
    local v = t[k]
    out[n] = type(v) == "function" and "method" or tostring(v)
  end
  local v = t.name
  out[#out + 1] = type(v) .. " " .. tostring(t[3]) .. " " .. tostring(t.none)
  show(what, table.concat(out, " "))
  t.name = f
end
local own = all "own"
plainly("own", own)
plainly("one link", setmetatable({}, { __index = own }))
plainly("two links", setmetatable({ 1, nil }, { __index = setmetatable({}, { __index = own }) }))
local deep = own
for n = 1, 150 do deep = setmetatable({ ["level" .. n] = n }, { __index = deep }) end
plainly("150 links", deep)
show("levels", deep.level1, deep.level75, deep.level150, deep["level" .. 2])
plainly("function", setmetatable({}, { __index = function(_, k) return "f(" .. tostring(k):sub(1, 8) .. ")" end }))
plainly("native", setmetatable({}, { __index = rawequal }))
plainly("link to a function", setmetatable({}, { __index = setmetatable({}, { __index = function(t, k) return type(t) .. tostring(k):sub(1, 3) end }) }))
plainly("no __index", setmetatable({}, { __add = print }))
show("boolean", pcall(plainly, "boolean", setmetatable({}, { __index = setmetatable({}, { __index = false }) })))
show("text", pcall(function() return setmetatable({}, { __index = "text" }).len == string.len end))
show("number", pcall(function() return setmetatable({}, { __index = 5 }).len end))
show("link to a number", pcall(function() local t = setmetatable({}, { __index = setmetatable({}, { __index = 5 }) }) return t.len end))

-- A cycle ends with an error, whatever the key.
local cycle = setmetatable({}, {})
getmetatable(cycle).__index = cycle
for _, k in ipairs { "name", 1, 70000, 2.5, long } do
  show("cycle", select(2, pcall(function() return cycle[k] end)))
end
show("cycle", select(2, pcall(function() return cycle.name end)))
show("cycle", select(2, pcall(function() return cycle:name() end)))
show("cycle", select(2, pcall(function() return cycle[1] end)))

-- An entry that is nil again is inherited; one that is false is not.
local parent = { a = "parent", [1] = "first", [500] = "far" }
local child = setmetatable({ a = 1, [1] = 2, [500] = 3 }, { __index = parent })
for turn = 1, 3 do
  show(child.a, child[1], child[500], child["a"])
  if turn == 1 then child.a, child[1], child[500] = nil, nil, nil end
  if turn == 2 then child.a, child[1], child[500] = false, false, false end
end
-- The same place reads tables of different shapes, and what it reads moves.
local function get(t) return t.field end
local shapes = { { field = 1 }, setmetatable({}, { __index = { field = 2 } }), setmetatable({ x = 1 }, { __index = setmetatable({}, { __index = { field = 3 } }) }), {} }
for turn = 1, 3 do
  for n, t in ipairs(shapes) do io.write(n, "=", tostring(get(t)), " ") end
  print()
  local m = getmetatable(shapes[2])
  m.__index = turn == 1 and { a = 1, b = 2, c = 3, field = "moved" } or function() return "computed" end
  if turn == 2 then shapes[1].field = nil end
end
-- A metatable gets its __index only after it was seen without.
local late = {}
local t = setmetatable({}, late)
show(t.x, t[1], t["y" .. 1])
late.__index = function(_, k) return k end
show(t.x, t[1], t["y" .. 1])
late.__index = nil
show(t.x, t[1], t["y" .. 1])

-- Writes.
local log
local function writes(t, what)
  log = {}
  local name, int, float, v = "na" .. "me", 70000, 3.0, "v"
  t.name = v
  t.name = "constant"
  t[name] = v
  t[name] = "constant"
  t[3] = v
  t[3] = "constant"
  t[int] = v
  t[int] = "constant"
  t[float] = v
  t[2.5] = "constant"
  t[long] = v
  t[true] = v
  local keys = {}
  for k, x in next, t do keys[#keys + 1] = tostring(k):sub(1, 6) .. "=" .. tostring(x) end
  table.sort(keys)
  show(what, table.concat(log, " "), table.concat(keys, " "))
end
local function note(tag) return function(t, k, v) log[#log + 1] = tag .. tostring(k):sub(1, 6) .. "=" .. tostring(v) end end
writes({}, "plain")
writes(setmetatable({}, { __index = print }), "no __newindex")
writes(setmetatable({}, { __newindex = note "f:" }), "function")
writes(setmetatable({ name = 1, [3] = 1, [70000] = 1, [2.5] = 1, [long] = 1, [true] = 1 }, { __newindex = note "f:" }), "function, but present")
writes(setmetatable({}, { __newindex = rawset }), "native")
local target = {}
writes(setmetatable({}, { __newindex = target }), "table")
writes(target, "that table")
target = { 1, 2, 3 }
writes(setmetatable({}, { __newindex = target }), "array")
writes(target, "that array")
writes(setmetatable({}, { __newindex = setmetatable({ 1, nil, nil }, { __newindex = note "second:" }) }), "link to a function")
writes(setmetatable({ nil, nil, 1 }, { __newindex = setmetatable({ 1, nil, nil }, { __newindex = target }) }), "two links")
show("number", pcall(function() setmetatable({}, { __newindex = 5 }).x = 1 end))
show("nil key", pcall(function() local k setmetatable({}, { __newindex = {} })[k] = 1 end))
local function by(k) return select(2, pcall(function() local c = setmetatable({}, {}) getmetatable(c).__newindex = c c[k] = 1 end)) end
show("cycle", by "name", by(1), by(2.5))
show("cycle", select(2, pcall(function() local c = setmetatable({}, {}) getmetatable(c).__newindex = c c.name = 1 end)))
local again = {}
t = setmetatable({}, again)
t.x = 1 t[1] = 1
again.__newindex = note "late:"
log = {}
t.x = 2 t.y = 2 t[1] = 2 t[2] = 2
t.x = nil
t.x = 3
show(table.concat(log, " "), rawget(t, "x"), rawget(t, "y"), rawget(t, 1), rawget(t, 2))
again.__newindex = nil
t.y = 4 t[2] = 4
show(rawget(t, "y"), rawget(t, 2))

-- Globals that are inherited, and set by a method.
do
  local sets = {}
  local _ENV = setmetatable({}, { __index = _G, __newindex = function(_, k, v) sets[#sets + 1] = k .. "=" .. tostring(v) end })
  local v = 5
  x = v
  y = "constant"
  print(x, y, type(table), table.concat(sets, " "))
end

-- The object of SELF is the receiver, also where it is overwritten, and errors name what is missing.
local Class = {}
Class.__index = Class
function Class.get(self, n) return rawequal(self, Class.last), n end
local object = setmetatable({}, Class)
Class.last = object
for _ = 1, 3 do local object = object object = object:get(1) show(object) end
show(select(2, pcall(function() object:nothing() end)))
show(select(2, pcall(function() object.a.b = 1 end)))
show(select(2, pcall(function() return object.a.b end)))
show(select(2, pcall(function() return object[1][2] end)))

-- Comparisons.
local meta = {}
meta.__eq = function(a, b) log = log + 1 return a.n == b.n end
meta.__lt = function(a, b) log = log + 1 return (type(a) == "table" and a.n or a) < (type(b) == "table" and b.n or b) end
meta.__le = function(a, b) log = log + 1 return (type(a) == "table" and a.n or a) <= (type(b) == "table" and b.n or b) end
local function of(n, m) return setmetatable({ n = n }, m or meta) end
log = 0
local a, b, c, plain = of(1), of(2), of(1), { n = 1 }
show(a == b, a == c, a ~= b, a ~= c, a == plain, plain == a, a == a, a == 1, log)
show(a < b, b < a, a <= c, a > b, a >= b, a < 5, a <= 1, 5 < a, a > 0, a >= 1, not (a < b), not (a <= b), log)
if a == c and not (a == b) and a < b and not (b <= a) then show("taken", log) end
local eq = {}
eq.__eq = function() return nil end
show(of(1, eq) == of(1, eq), of(1, eq) ~= of(1, eq), of(1, eq) == a, a == of(1, eq), log)
eq.__eq = function() return 1, 2 end
show(of(1, eq) == of(2, eq), setmetatable({}, { __eq = rawequal }) == setmetatable({}, eq), setmetatable({}, eq) == setmetatable({}, {}))
show(pcall(function() return {} < of(1, {}) end))
show(pcall(function() return of(1, {}) <= of(1, {}) end))
show(pcall(function() return of(1, { __lt = 5 }) < 1 end))
show(pcall(function() return of(1, { __le = function() error("in __le", 0) end }) <= 1 end))
-- In a coroutine that yields in each of them.
local y = { __index = function(_, k) return coroutine.yield(k) end, __newindex = function(_, k, v) coroutine.yield(k) end }
y.__eq = function() return coroutine.yield("eq") end
y.__lt = function() return coroutine.yield("lt") end
y.__le = function() return coroutine.yield("le") end
local co = coroutine.wrap(function()
  local p, q = setmetatable({}, y), setmetatable({}, y)
  local k = "dyn" .. "amic"
  p.set = 1
  p[k] = 1
  p[4] = 1
  return p.name, p[k], p[1], p == q, p ~= q, p < q, p <= q, p > q, p:method()
end)
local answer = co()
while answer do
  io.write(tostring(answer), " ")
  if answer == "method" then answer = co(function() return "called" end) break end
  answer = co(answer .. "!")
end
print(answer)
--> own	nil own3 ownint ownfloat ownlong ownflag nil nil own3 nil
--> one link	method own3 ownint ownfloat ownlong ownflag nil function own3 nil
--> two links	method own3 ownint ownfloat ownlong ownflag nil function own3 nil
--> 150 links	method own3 ownint ownfloat ownlong ownflag nil function own3 nil
--> levels	1	75	150	2
--> function	f(name) f(3) f(70000) f(2.5) f(xxxxxxxx) f(true) f(none) string f(3) f(none)
--> native	false false false false false false false boolean false false
--> link to a function	tablenam table3 table700 table2.5 tablexxx tabletru tablenon string table3 tablenon
--> no __index	nil nil nil nil nil nil nil nil nil nil
--> boolean	false	metatables/inherit.lua:12: attempt to index a boolean value
--> text	true	true
--> number	false	metatables/inherit.lua:39: attempt to index a number value
--> link to a number	false	metatables/inherit.lua:40: attempt to index a number value
--> cycle	metatables/inherit.lua:46: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:46: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:46: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:46: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:46: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:48: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:49: '__index' chain too long; possible loop
--> cycle	metatables/inherit.lua:50: '__index' chain too long; possible loop
--> 1	2	3	1
--> parent	first	far	parent
--> false	false	false	false
--> 1=1 2=2 3=3 4=nil 
--> 1=1 2=moved 3=3 4=nil 
--> 1=nil 2=computed 3=3 4=nil 
--> nil	nil	nil
--> x	1	y1
--> nil	nil	nil
--> plain		2.5=constant 3=v 70000=constant name=constant true=v xxxxxx=v
--> no __newindex		2.5=constant 3=v 70000=constant name=constant true=v xxxxxx=v
--> function	f:name=v f:name=constant f:name=v f:name=constant f:3=v f:3=constant f:70000=v f:70000=constant f:3.0=v f:2.5=constant f:xxxxxx=v f:true=v	
--> function, but present		2.5=constant 3=v 70000=constant name=constant true=v xxxxxx=v
--> native		2.5=constant 3=v 70000=constant name=constant true=v xxxxxx=v
--> table		
--> that table		2.5=constant 3=v 70000=constant name=constant true=v xxxxxx=v
--> array		
--> that array		1=1 2.5=constant 2=2 3=v 70000=constant name=constant true=v xxxxxx=v
--> link to a function	second:name=v second:name=constant second:name=v second:name=constant second:3=v second:3=constant second:70000=v second:70000=constant second:3.0=v second:2.5=constant second:xxxxxx=v second:true=v	
--> two links		3=v
--> number	false	metatables/inherit.lua:115: attempt to index a number value
--> nil key	false	metatables/inherit.lua:116: table index is nil
--> cycle	metatables/inherit.lua:117: '__newindex' chain too long; possible loop	metatables/inherit.lua:117: '__newindex' chain too long; possible loop	metatables/inherit.lua:117: '__newindex' chain too long; possible loop
--> cycle	metatables/inherit.lua:119: '__newindex' chain too long; possible loop
--> late:y=2 late:2=2 late:x=3	nil	nil	2	nil
--> 4	4
--> nil	nil	table	x=5 y=constant
--> true
--> true
--> true
--> metatables/inherit.lua:150: attempt to call a nil value (method 'nothing')
--> metatables/inherit.lua:151: attempt to index a nil value (field 'a')
--> metatables/inherit.lua:152: attempt to index a nil value (field 'a')
--> metatables/inherit.lua:153: attempt to index a nil value (field 'integer index')
--> false	true	true	false	true	true	true	false	6
--> true	false	true	false	false	true	true	false	true	true	false	false	18
--> taken	22
--> false	true	false	true	23
--> true	false	true
--> false	metatables/inherit.lua:171: attempt to compare two table values
--> false	metatables/inherit.lua:172: attempt to compare two table values
--> false	metatables/inherit.lua:173: attempt to call a number value (metamethod 'lt')
--> false	in __le
--> set dynamic 4 name dynamic 1 eq eq lt le lt method name!
