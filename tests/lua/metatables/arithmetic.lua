-- Arithmetic metamethods: which operand decides, operand order, constants on either side, results adjusted to one.
local log = {}
local function event(name)
  return function(a, b)
    local function v(x) return type(x) == "table" and x.name or tostring(x) end
    return name .. "(" .. v(a) .. "," .. v(b) .. ")", "dropped"
  end
end
local mt = {}
for _, name in ipairs {"add", "sub", "mul", "div", "mod", "pow", "unm", "idiv", "band", "bor", "bxor", "shl", "shr", "bnot", "concat", "len"} do
  mt["__" .. name] = event(name)
end
local a = setmetatable({name = "a"}, mt)
local b = setmetatable({name = "b"}, {__add = event "b.add"})
print(a + 1, 1 + a, a + b, b + a, a + "s", 1.5 + a)
print(a - 1, 1 - a, a * 2, 2 * a, a / 3, 3 / a)
print(a % 4, 4 % a, a ^ 5, 5 ^ a, a // 6, 6 // a)
print(a & 1, 1 & a, a | 2, 2 | a, a ~ 3, 3 ~ a, a << 4, 4 << a, a >> 5, 5 >> a)
print(a & 1.5, 1.5 | a, a & "x")
print(-a, ~a, #a)
print(a .. "x", "x" .. a, a .. 1, 1 .. a, a .. a, a .. nil)
local big = 1000000
print(a + big, big + a, a - 100000000000, a * 0.5, 0.5 // a)
print(select("#", a + 1), (a + 1))
-- A metamethod that is not a function is called through its own __call.
local callable = setmetatable({}, {__call = function(self, x, y) return "called with " .. type(x) .. " " .. type(y) end})
local c = setmetatable({}, {__add = callable, __index = callable})
print(c + 1, 1 + c)
-- Strings have arithmetic metamethods; a table's own comes first only when the string is not numeric on the left.
print(pcall(function() return "10" + a end))
print("10" + 1, "0x10" * 2, -"3", pcall(function() return "ten" + 1 end))
-- nil and boolean operands beside an object with the event.
print(a + nil, nil + a, a * true)
local none = setmetatable({}, {})
print(pcall(function() return none + 1 end))
print(pcall(function() return 1 + none end))
print(pcall(function() local x = setmetatable({}, {__add = 5}) return x + 1 end))
--> add(a,1)	add(1,a)	add(a,b)	b.add(b,a)	add(a,s)	add(1.5,a)
--> sub(a,1)	sub(1,a)	mul(a,2)	mul(2,a)	div(a,3)	div(3,a)
--> mod(a,4)	mod(4,a)	pow(a,5)	pow(5,a)	idiv(a,6)	idiv(6,a)
--> band(a,1)	band(1,a)	bor(a,2)	bor(2,a)	bxor(a,3)	bxor(3,a)	shl(a,4)	shl(4,a)	shr(a,5)	shr(5,a)
--> band(a,1.5)	bor(1.5,a)	band(a,x)
--> unm(a,a)	bnot(a,a)	len(a,a)
--> concat(a,x)	concat(x,a)	concat(a,1)	concat(1,a)	concat(a,a)	concat(a,nil)
--> add(a,1000000)	add(1000000,a)	sub(a,100000000000)	mul(a,0.5)	idiv(0.5,a)
--> 1	add(a,1)
--> called with table number	called with number table
--> true	add(10,a)
--> 11	32	-3	false	metatables/arithmetic.lua:31: attempt to add a 'string' with a 'number'
--> add(a,nil)	add(nil,a)	mul(a,true)
--> false	metatables/arithmetic.lua:35: attempt to perform arithmetic on a table value (upvalue 'none')
--> false	metatables/arithmetic.lua:36: attempt to perform arithmetic on a table value (upvalue 'none')
--> false	metatables/arithmetic.lua:37: attempt to call a number value (metamethod 'add')
