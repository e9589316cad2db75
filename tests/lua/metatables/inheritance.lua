-- Class hierarchies by metatables, super calls, multiple inheritance, and inherited metamethods that are not inherited.
local Animal = {} Animal.__index = Animal
function Animal.new(name, class) return setmetatable({name = name}, class or Animal) end
function Animal:speak() return self.name .. " " .. self:sound() end
function Animal:sound() return "..." end
Animal.__tostring = function(self) return "Animal " .. self.name end
local Dog = setmetatable({}, {__index = Animal}) Dog.__index = Dog
function Dog.new(name) return Animal.new(name, Dog) end
function Dog:sound() return "woof" end
local Puppy = setmetatable({}, {__index = Dog}) Puppy.__index = Puppy
function Puppy.new(name) return setmetatable(Dog.new(name), Puppy) end
function Puppy:sound() return "small " .. Dog.sound(self) end
print(Animal.new("cat"):speak(), Dog.new("rex"):speak(), Puppy.new("bit"):speak())
print(tostring(Animal.new("x")), tostring(Dog.new("y")):match("^table") )
-- Metamethods are looked up raw in the metatable.
Dog.__tostring = Animal.__tostring
print(tostring(Dog.new("z")))
local function class(...)
  local parents = {...}
  local c = setmetatable({}, {__index = function(t, k)
    for _, p in ipairs(parents) do local v = p[k] if v ~= nil then t[k] = v return v end end
  end})
  c.__index = c
  function c:new(o) return setmetatable(o or {}, c) end
  return c
end
local Named = {getname = function(self) return self.name end, setname = function(self, n) self.name = n end}
local Priced = {price = function(self) return self.amount * 2 end}
local Item = class(Named, Priced)
local item = Item:new {name = "lamp", amount = 21}
print(item:getname(), item:price(), rawget(Item, "price") == Priced.price)
item:setname("torch") print(item:getname(), item.nothing)
-- A class with properties through functions.
local Point = {}
local getters = {length = function(self) return math.sqrt(self.x ^ 2 + self.y ^ 2) end}
local mt = {__index = function(self, k) local g = getters[k] if g then return g(self) end return Point[k] end,
  __newindex = function(self, k, v) if getters[k] then error(k .. " cannot be set", 2) end rawset(self, k, v) end,
  __eq = function(a, b) return a.x == b.x and a.y == b.y end,
  __add = function(a, b) return Point.new(a.x + b.x, a.y + b.y) end,
  __unm = function(a) return Point.new(-a.x, -a.y) end,
  __tostring = function(a) return "(" .. a.x .. "," .. a.y .. ")" end}
function Point.new(x, y) return setmetatable({x = x, y = y}, mt) end
local a, b = Point.new(3, 4), Point.new(1, 1)
print(tostring(a + b), tostring(-a), a == Point.new(3, 4), a.length, pcall(function() a.length = 1 end))
--> cat ...	rex woof	bit small woof
--> Animal x	table
--> Animal z
--> lamp	42	true
--> torch	nil
--> (4,5)	(-3,-4)	true	5.0	false	metatables/inheritance.lua:44: length cannot be set
