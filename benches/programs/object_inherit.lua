-- Objects: three levels of inheritance, calls to the parent's method, polymorphic lists, many small objects, getters.
local n = tonumber((...)) or 40000

local function class(parent)
  local c = {}
  c.__index = c
  if parent then setmetatable(c, { __index = parent }) end
  c.new = function(...)
    local o = setmetatable({}, c)
    o:init(...)
    return o
  end
  return c
end

local Shape = class()
function Shape:init(name) self.name = name self.moves = 0 end
function Shape:area() return 0 end
function Shape:move(dx) self.moves = self.moves + dx return self end
function Shape:weight() return self:area() * self:density() end
function Shape:density() return 1 end
local Box = class(Shape)
function Box:init(w, h) Shape.init(self, "box") self.w, self.h = w, h end
function Box:area() return self.w * self.h end
local Square = class(Box)
function Square:init(side) Box.init(self, side, side) self.name = "square" end
function Square:density() return 2 end
local Disc = class(Shape)
function Disc:init(r) Shape.init(self, "disc") self.r = r end
function Disc:area() return 3 * self.r * self.r end

local sum = 0
for round = 1, 5 do
  local shapes = {}
  for i = 1, n do
    shapes[i] = i % 3 == 0 and Box.new(i % 7, 2) or i % 3 == 1 and Square.new(i % 5) or Disc.new(i % 4)
  end
  for pass = 1, 3 do
    for i = 1, #shapes do
      local s = shapes[i]
      sum = sum + s:weight() + s:move(1):move(2).moves + #s.name
    end
  end
end
print(string.format("%d", sum))
