-- Every number of values through resume, yield and the end of a coroutine.
local yield, resume, wrap, create = coroutine.yield, coroutine.resume, coroutine.wrap, coroutine.create
local function show(...) print(select("#", ...), ...) end

-- The first resume: fewer, as many, more arguments than parameters, and extra arguments.
local function two(a, b) return a, b end
local function rest(a, ...) return a, ... end
for _, f in ipairs { two, rest, function() end, print, select } do
  show(resume(create(f), 1)) show(resume(create(f), 1, 2, 3)) show(wrap(f)(2, "x", "y"))
end
show(resume(create(two))) show(wrap(rest)()) show(pcall(wrap(select)))

-- Values in both directions, for any number that is wanted.
local echo = create(function(...)
  local n = select("#", ...)
  yield(n)
  yield()
  local a = yield(1)
  local b, c, d = yield(a, a)
  show("in", a, b, c, d, yield(1, 2, 3))
  show("in", (yield(nil)))
  return "last", nil
end)
show(resume(echo, 1, nil)) show(resume(echo, "dropped")) show(resume(echo, 1, 2)) show(resume(echo, "a"))
show(resume(echo, "b", "c")) show(resume(echo, 7, 8, 9)) show(resume(echo)) show(resume(echo)) show(coroutine.status(echo))
local function wanted()
  local co = wrap(function() while true do yield("x", "y") end end)
  co()
  local a = co()
  local b, c, d = co()
  return a, b, c, d, co()
end
show(wanted())
local function wanted_with_status()
  local co = create(function() for i = 1, 3 do yield("x", i) end return "end" end)
  resume(co)
  local a = resume(co)
  local b, c = resume(co)
  local d, e, f = resume(co)
  local g, h = resume(co)
  return a, b, c, d, e, f, g, h, coroutine.status(co)
end
show(wanted_with_status())

-- As iterators, inside one another, and through natives.
local function range(n) return wrap(function() for i = 1, n do yield(i, -i) end end) end
local sum = 0
for i, j in range(100) do sum = sum + i * 3 + j end
for i in wrap(function() for i in range(10) do for j in range(i) do yield(j) end end end) do sum = sum + i end
show(sum)
show(resume(create(yield), 1, 2)) show(type(wrap(wrap)(two))) show(resume(create(pcall), yield, 5, nil))
local through = create(pcall)
show(resume(through, yield, 5)) show(resume(through, 6, 7)) show(coroutine.status(through))

-- Yields from metamethods.
local object = setmetatable({}, {
  __add = function(_, n) return yield("add", n) end,
  __index = function(_, key) return yield("index", key) end,
  __lt = function() return yield("lt") end,
  __le = function() return yield("le") end,
  __eq = function() return yield("eq") end,
  __concat = function(_, s) return yield("concat", s) end,
  __call = function(_, ...) return yield("call", ...) end,
  __unm = function() return yield("unm") end,
})
local co = create(function()
  local out = { object + 1, object.field, object < object, object <= object, object == setmetatable({}, getmetatable(object)) }
  out[#out + 1] = object .. "text"
  out[#out + 1] = object(1, 2)
  out[#out + 1] = -object
  return table.unpack(out)
end)
show(resume(co))
for i = 1, 8 do show(resume(co, i)) end

-- Errors: of the coroutine, of who may not.
show(resume(create(function() error("plain", 0) end))) show(pcall(wrap(function() error({}, 0) end)) == false)
show(resume(echo)) show(pcall(wrap(function() yield() end))) show(pcall(yield))
show(resume(coroutine.running())) show(resume(create(function() return resume(coroutine.running()) end)))
--> 3	true	1	nil
--> 3	true	1	2
--> 2	2	x
--> 2	true	1
--> 4	true	1	2	3
--> 3	2	x	y
--> 1	true
--> 1	true
--> 0
--> 1
--> 1	true
--> 1	2	3
--> 1	true
--> 2	x	y
--> 0
--> 1	true
--> 3	true	2	3
--> 1	y
--> 3	true	nil	nil
--> 1	nil
--> 2	false	bad argument #1 to 'select' (number expected, got no value)
--> 2	true	2
--> 1	true
--> 2	true	1
--> 3	true	a	a
--> 4	true	1	2	3
--> 8	in	a	b	c	nil	7	8	9
--> 2	true	nil
--> 2	in	nil
--> 3	true	last	nil
--> 2	false	cannot resume dead coroutine
--> 1	dead
--> 6	x	x	y	nil	x	y
--> 9	true	true	x	true	end	nil	false	cannot resume dead coroutine	dead
--> 1	10320
--> 3	true	1	2
--> 1	function
--> 3	true	5	nil
--> 2	true	5
--> 4	true	true	6	7
--> 1	dead
--> 3	true	add	1
--> 3	true	index	field
--> 2	true	lt
--> 2	true	le
--> 2	true	eq
--> 3	true	concat	text
--> 4	true	call	1	2
--> 2	true	unm
--> 9	true	1	2	true	true	true	6	7	8
--> 2	false	plain
--> 1	true
--> 2	false	cannot resume dead coroutine
--> 1	true
--> 2	false	attempt to yield from outside a coroutine
--> 2	false	cannot resume non-suspended coroutine
--> 3	true	false	cannot resume non-suspended coroutine
